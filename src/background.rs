//! Where work beside the writer is done: on threads of its own, or where a test wants it.

use std::io;
use std::thread::JoinHandle;

#[cfg(any(test, feature = "test-util"))]
use crate::storage::{Schedule, ScheduledThread};

/// Where work beside the writer is done.
#[derive(Debug, Clone, Default)]
pub(crate) enum Background {
    /// On threads of its own.
    #[default]
    Threads,
    /// By whoever asks for it; there is no thread but the caller's.
    Inline,
    /// On threads of which one runs at a time, the caller's among them.
    #[cfg(any(test, feature = "test-util"))]
    Scheduled(Schedule),
}

/// A thread for work beside the writer.
#[derive(Debug)]
pub(crate) enum BackgroundThread {
    Own(JoinHandle<()>),
    #[cfg(any(test, feature = "test-util"))]
    Scheduled(ScheduledThread),
}

impl Background {
    /// Whether the work is done by whoever asks for it.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self, Background::Inline)
    }

    /// Whether the writer has a thread.
    pub(crate) fn has_writer(&self) -> bool {
        matches!(self, Background::Threads)
    }

    /// Starts a thread, also where work is done inline.
    pub(crate) fn spawn(
        &self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<BackgroundThread> {
        match self {
            Background::Threads | Background::Inline => {
                let thread = std::thread::Builder::new().name(name.to_owned());
                thread.spawn(work).map(BackgroundThread::Own)
            }
            #[cfg(any(test, feature = "test-util"))]
            Background::Scheduled(schedule) => schedule.spawn(name, work).map(BackgroundThread::Scheduled),
        }
    }

    /// Whether its threads go on only when a waiting one lets them, so that nobody else may wait for them.
    pub(crate) fn is_scheduled(&self) -> bool {
        match self {
            Background::Threads | Background::Inline => false,
            #[cfg(any(test, feature = "test-util"))]
            Background::Scheduled(_) => true,
        }
    }
}

impl BackgroundThread {
    /// Waits for its end. What it panicked with is its own affair.
    pub(crate) fn join(self) {
        match self {
            BackgroundThread::Own(thread) => drop(thread.join()),
            #[cfg(any(test, feature = "test-util"))]
            BackgroundThread::Scheduled(thread) => thread.join(),
        }
    }

    /// Whether it is the calling thread.
    pub(crate) fn is_here(&self) -> bool {
        match self {
            BackgroundThread::Own(thread) => thread.thread().id() == std::thread::current().id(),
            #[cfg(any(test, feature = "test-util"))]
            BackgroundThread::Scheduled(thread) => thread.is_here(),
        }
    }
}

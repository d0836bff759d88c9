//! Commands that were handed over together: one piece of work, whose answers come together. They cost one allocation, one
//! lock and one wake-up for all, where commands one by one cost as many as they are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::answer::{CommandAnswer, Pending, writer_is_gone};
use crate::domain::Request;
use crate::error::Error;

/// Commands that were handed over together, or the rest of them, and where their answers go.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) requests: Vec<Request>,
    /// What the host's risk assessor says against each; empty where there is none to ask.
    vetoes: Vec<Option<Arc<str>>>,
    reply: VectorReply,
}

impl Commands {
    /// The commands, and the handles on their answers.
    pub(super) fn new(
        requests: Vec<Request>,
        vetoes: Vec<Option<Arc<str>>>,
    ) -> (Commands, impl Iterator<Item = Pending>) {
        let answers: Arc<SharedAnswers> = Arc::default();
        answers.lock().parts = 1;
        let shared = Arc::clone(&answers);
        let pending = (0..requests.len()).map(move |index| Pending::of(Arc::clone(&shared), index));
        (Commands { requests, vetoes, reply: VectorReply { answers, first: 0 } }, pending)
    }

    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn veto(&self, index: usize) -> Option<&Arc<str>> {
        self.vetoes.get(index).and_then(Option::as_ref)
    }

    /// The first of them are `answered`: what is to be sent, and the rest.
    pub(super) fn answered(mut self, answered: Vec<CommandAnswer>) -> (VectorAnswers, Option<Commands>) {
        let rest = self.requests.split_off(answered.len().min(self.requests.len()));
        let rest = (!rest.is_empty()).then(|| Commands {
            requests: rest,
            vetoes: self.vetoes.split_off(answered.len().min(self.vetoes.len())),
            reply: self.reply.from(answered.len()),
        });
        (VectorAnswers { reply: self.reply, answers: answered, requests: self.requests }, rest)
    }

    /// Answers that the engine could not do its work.
    pub(super) fn fail(self, why: &Error) {
        let answers = self.requests.iter().map(|_| Err(why.clone().into())).collect();
        self.reply.send(answers, self.requests);
    }
}

/// The answers to commands that were handed over together, held back until they are durable.
#[derive(Debug)]
pub(super) struct VectorAnswers {
    reply: VectorReply,
    answers: Vec<CommandAnswer>,
    requests: Vec<Request>,
}

impl VectorAnswers {
    pub(super) fn send(self) {
        self.reply.send(self.answers, self.requests);
    }

    /// Answers something else instead.
    pub(super) fn fail(self, why: &Error) {
        let answers = self.answers.iter().map(|_| Err(why.clone().into())).collect();
        self.reply.send(answers, self.requests);
    }
}

/// Where the answers go, from one of the commands on. If it is dropped without an answer (a panic), those who wait are
/// told that the writer is gone.
#[derive(Debug)]
struct VectorReply {
    answers: Arc<SharedAnswers>,
    first: usize,
}

impl VectorReply {
    /// The same for the commands from the `count`th after its own first on.
    fn from(&self, count: usize) -> VectorReply {
        self.answers.lock().parts += 1;
        VectorReply { answers: Arc::clone(&self.answers), first: self.first + count }
    }

    fn send(self, answers: Vec<CommandAnswer>, requests: Vec<Request>) {
        let mut state = self.answers.lock();
        let end = self.first + answers.len();
        if state.answers.len() < end {
            state.answers.resize_with(end, || None);
        }
        for (slot, answer) in state.answers[self.first..].iter_mut().zip(answers) {
            *slot = Some(answer);
        }
        state.answered.push(requests);
        let waiters = state.waiters.get_mut(self.first..).unwrap_or_default();
        let told = waiters.len().min(end - self.first);
        let waiters: Vec<Waker> = waiters[..told].iter_mut().filter_map(Option::take).collect();
        drop(state);
        // All the answers are there before the first who waits is woken: it need not sleep again for the next.
        waiters.into_iter().for_each(Waker::wake);
    }
}

impl Drop for VectorReply {
    fn drop(&mut self) {
        let mut state = self.answers.lock();
        state.parts -= 1;
        if state.parts > 0 {
            return;
        }
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        waiters.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The answers to commands that were handed over together, between the writer and those who wait.
#[derive(Debug, Default)]
pub(super) struct SharedAnswers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// `None`: not answered yet, or taken.
    answers: Vec<Option<CommandAnswer>>,
    /// Who waits for each.
    waiters: Vec<Option<Waker>>,
    /// How many parts of the writer's side there are that may still answer.
    parts: usize,
    /// The commands that are answered: whoever takes an answer frees them, not the writer.
    answered: Vec<Vec<Request>>,
}

impl SharedAnswers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, if it is there; it is given once.
    pub(super) fn take(&self, index: usize) -> Option<CommandAnswer> {
        self.take_or(index, |_| {})
    }

    /// The same; if it is not there yet, whoever polls is woken when it is.
    pub(super) fn poll(&self, index: usize, context: &mut Context<'_>) -> Poll<CommandAnswer> {
        let answer = self.take_or(index, |state| {
            if state.waiters.len() <= index {
                state.waiters.resize(index + 1, None);
            }
            match &mut state.waiters[index] {
                Some(waiter) => waiter.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        });
        answer.map_or(Poll::Pending, Poll::Ready)
    }

    fn take_or(&self, index: usize, wait: impl FnOnce(&mut State)) -> Option<CommandAnswer> {
        let mut state = self.lock();
        let answer = state.answers.get_mut(index).and_then(Option::take);
        let answered = std::mem::take(&mut state.answered);
        let is_over = state.parts == 0;
        if answer.is_none() && !is_over {
            wait(&mut state);
        }
        drop(state);
        drop(answered);
        answer.or_else(|| is_over.then(|| Err(writer_is_gone().into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{NewBudget, Request};
    use crate::engine::answer::{CommandError, CommandResult, Receipt};
    use crate::error::ErrorKind;

    fn commands(count: usize) -> (Commands, Vec<Pending>) {
        let requests = (0..count).map(|n| Request::from(NewBudget::new(format!("b-{n}")))).collect();
        let (commands, pending) = Commands::new(requests, Vec::new());
        (commands, pending.collect())
    }

    fn answer(seq: u64) -> CommandAnswer {
        let result = CommandResult::Nothing;
        Ok(Receipt { first_seq: Some(seq), last_seq: Some(seq), retried: false, result })
    }

    fn seq_of(answer: &CommandAnswer) -> Option<u64> {
        answer.as_ref().unwrap().first_seq
    }

    fn kind_of(answer: CommandAnswer) -> ErrorKind {
        match answer {
            Err(CommandError::Engine(error)) => error.kind().clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_gets_its_own_answer_whoever_asks_first() {
        let (commands, mut pending) = commands(3);
        let last = pending.remove(2).try_wait().unwrap_err();
        let (answers, rest) = commands.answered((1..=3).map(answer).collect());
        assert!(rest.is_none());
        answers.send();
        assert_eq!(seq_of(&last.wait()), Some(3));
        assert_eq!(seq_of(&pending.remove(1).try_wait().unwrap()), Some(2));
        assert_eq!(seq_of(&pollster::block_on(pending.remove(0))), Some(1));
    }

    #[test]
    fn who_waits_is_woken_on_whatever_thread() {
        let (commands, pending) = commands(64);
        std::thread::scope(|scope| {
            let waiting: Vec<_> =
                pending.into_iter().map(|pending| scope.spawn(move || seq_of(&pending.wait()))).collect();
            let (answers, _) = commands.answered((0..64).map(answer).collect());
            answers.send();
            let seqs: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert_eq!(seqs, (0..64).map(Some).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_part_that_was_begun_and_the_rest_are_answered_apart_in_any_order() {
        for begun_first in [true, false] {
            let (commands, pending) = commands(3);
            let (begun, rest) = commands.answered(vec![answer(1)]);
            let unknown = Error::new(ErrorKind::OutcomeUnknown, "begun");
            let halted = Error::new(ErrorKind::Halted, "not begun");
            if begun_first {
                begun.fail(&unknown);
                rest.unwrap().fail(&halted);
            } else {
                rest.unwrap().fail(&halted);
                begun.fail(&unknown);
            }
            let kinds: Vec<_> = pending.into_iter().map(|pending| kind_of(pending.wait())).collect();
            assert_eq!(kinds, [ErrorKind::OutcomeUnknown, ErrorKind::Halted, ErrorKind::Halted]);
        }
    }

    #[test]
    fn a_writer_that_lets_go_of_commands_leaves_nobody_waiting() {
        let (commands, pending) = commands(2);
        let (begun, rest) = commands.answered(vec![answer(1)]);
        std::thread::scope(|scope| {
            let waiting: Vec<_> =
                pending.into_iter().map(|pending| scope.spawn(move || kind_of(pending.wait()))).collect();
            drop(rest);
            drop(begun);
            for thread in waiting {
                assert_eq!(thread.join().unwrap(), ErrorKind::OutcomeUnknown);
            }
        });
    }

    #[test]
    fn what_was_answered_stays_when_the_rest_is_let_go() {
        let (commands, mut pending) = commands(2);
        let (begun, rest) = commands.answered(vec![answer(1)]);
        begun.send();
        drop(rest);
        assert_eq!(kind_of(pending.remove(1).wait()), ErrorKind::OutcomeUnknown);
        assert_eq!(seq_of(&pending.remove(0).wait()), Some(1));
    }
}

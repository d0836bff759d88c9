//! Where commands come from: lines, read ahead by a thread of its own, so that a signal can end the wait for more.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tallybook::adapter::jsonl::MAX_LINE_LEN;

use super::super::outcome::Failure;

/// How much is read at once, in bytes.
const READ_LEN: usize = 64 * 1024;
/// How many batches are read ahead.
const BATCHES_AHEAD: usize = 4;

/// The commands, not read yet.
pub(super) struct Input {
    file: File,
    /// For messages.
    name: String,
    /// Whether all is there already: nobody waits for an answer before giving the next command.
    pub(super) is_regular_file: bool,
}

impl Input {
    /// The file, or stdin where there is none or it is `-`.
    pub(super) fn open(file: Option<&Path>) -> Result<Input, Failure> {
        let (name, file) = match file {
            Some(path) if path.as_os_str() != "-" => (path.display().to_string(), open_file(path)),
            _ => ("stdin".to_owned(), io::stdin().as_fd().try_clone_to_owned().map(File::from)),
        };
        let opened = file.and_then(|file| Ok((file.metadata()?.is_file(), file)));
        let (is_regular_file, file) =
            opened.map_err(|error| Failure::Input(format!("opening {name}"), error))?;
        Ok(Input { file, name, is_regular_file })
    }

    /// Starts reading.
    pub(super) fn read_ahead(self) -> Result<Batches, Failure> {
        let Input { file, name, .. } = self;
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        let batches = Batches { receiver, waker: Waker(sender.clone()), name };
        let read = move || {
            let mut lines = LineReader::new(file);
            loop {
                let read = lines.next_batch();
                let is_last = !matches!(read, Ok(Some(_)));
                if sender.send(Message::Read(read)).is_err() || is_last {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("tallybook-input".into()).spawn(read);
        thread
            .map(|_| batches)
            .map_err(|error| Failure::Input("starting the thread that reads the input".to_owned(), error))
    }
}

#[expect(clippy::disallowed_methods, reason = "the file of commands is the user's, no part of a journal")]
fn open_file(path: &Path) -> io::Result<File> {
    File::open(path)
}

enum Message {
    Read(io::Result<Option<Batch>>),
    /// To look at what else may have happened.
    Wake,
}

/// The lines as they come in.
pub(super) struct Batches {
    receiver: Receiver<Message>,
    waker: Waker,
    name: String,
}

/// Ends a wait for input.
#[derive(Clone)]
pub(super) struct Waker(SyncSender<Message>);

impl Waker {
    pub(super) fn wake(&self) {
        // Where the channel is full nobody is waiting; where nobody listens nobody has to be woken.
        let _ = self.0.try_send(Message::Wake);
    }
}

impl Batches {
    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The next lines; `None` at the end of the input, or when `is_stopped` says that it is enough.
    pub(super) fn next(&self, is_stopped: impl Fn() -> bool) -> Result<Option<Batch>, Failure> {
        while !is_stopped() {
            match self.receiver.recv() {
                Ok(Message::Wake) => {}
                Ok(Message::Read(read)) => {
                    return read.map_err(|error| Failure::Input(format!("reading {}", self.name), error));
                }
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// Some lines that came in together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// The number of each line, and where it ends; the next begins after that.
    lines: Vec<LineEnd>,
}

#[derive(Debug)]
struct LineEnd {
    number: u64,
    start: usize,
    end: usize,
    is_too_long: bool,
}

/// A line that asks for an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InputLine<'a> {
    /// Its number, from 1 on.
    pub(super) number: u64,
    /// Its bytes; `None` when it was too long to be kept.
    pub(super) bytes: Option<&'a [u8]>,
}

impl Batch {
    /// The lines that are not blank.
    pub(super) fn lines(&self) -> impl Iterator<Item = InputLine<'_>> {
        self.lines.iter().filter_map(|line| {
            let bytes = &self.bytes[line.start..line.end];
            let is_blank = !line.is_too_long && bytes.trim_ascii().is_empty();
            let bytes = (!line.is_too_long).then_some(bytes);
            (!is_blank).then_some(InputLine { number: line.number, bytes })
        })
    }
}

/// Cuts a stream into lines, without ever holding more of one than it may have.
struct LineReader<R> {
    input: R,
    /// The start of a line whose end has not come in yet.
    begun: Vec<u8>,
    /// Whether the rest of the line is thrown away, because it is too long.
    is_skipping: bool,
    /// The number of the last line that ended.
    number: u64,
    is_at_end: bool,
}

impl<R: Read> LineReader<R> {
    fn new(input: R) -> LineReader<R> {
        LineReader { input, begun: Vec::new(), is_skipping: false, number: 0, is_at_end: false }
    }

    /// The lines that the next bytes complete; never waits for more once there is one. `None` at the end.
    fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        let mut batch = Batch::default();
        while batch.lines.is_empty() && !self.is_at_end {
            let unsearched = self.begun.len();
            let mut bytes = std::mem::take(&mut self.begun);
            bytes.resize(unsearched + READ_LEN, 0);
            let read = self.read(&mut bytes[unsearched..])?;
            bytes.truncate(unsearched + read);
            if read == 0 {
                self.is_at_end = true;
                if unsearched > 0 || self.is_skipping {
                    self.end_line(&mut batch, 0, bytes.len());
                }
                batch.bytes = bytes;
            } else {
                self.cut(bytes, unsearched, &mut batch);
            }
        }
        Ok((!batch.lines.is_empty()).then_some(batch))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Puts the complete lines of `bytes` into the batch, and keeps what is begun. There is no line end before
    /// `unsearched`.
    fn cut(&mut self, bytes: Vec<u8>, unsearched: usize, batch: &mut Batch) {
        let mut start = 0;
        let mut search = unsearched;
        while let Some(len) = bytes[search..].iter().position(|&byte| byte == b'\n') {
            let end = search + len;
            self.end_line(batch, start, end);
            start = end + 1;
            search = start;
        }
        let rest = &bytes[start..];
        if !self.is_skipping && rest.len() <= MAX_LINE_LEN {
            self.begun.extend_from_slice(rest);
        } else {
            self.is_skipping = true;
        }
        batch.bytes = bytes;
    }

    fn end_line(&mut self, batch: &mut Batch, start: usize, end: usize) {
        self.number += 1;
        let is_too_long = std::mem::take(&mut self.is_skipping) || end - start > MAX_LINE_LEN;
        batch.lines.push(LineEnd { number: self.number, start, end, is_too_long });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.0.len().min(self.1).min(buffer.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    /// The number and text of every line that asks for an answer; too long ones as `None`.
    fn lines(text: &[u8], drop_len: usize) -> Vec<(u64, Option<String>)> {
        let mut reader = LineReader::new(Drops(text, drop_len));
        let mut all = Vec::new();
        while let Some(batch) = reader.next_batch().unwrap() {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            all.extend(batch.lines().map(|line| (line.number, line.bytes.map(text))));
        }
        all
    }

    #[test]
    fn lines_are_counted_and_blank_ones_passed_over() {
        let text = b"one\n\n  \t\r\nfour\r\n\nsix";
        let expected =
            [(1, Some("one".to_owned())), (4, Some("four\r".to_owned())), (6, Some("six".to_owned()))];
        for drop_len in [1, 2, 3, 5, 100] {
            assert_eq!(lines(text, drop_len), expected, "{drop_len} bytes at a time");
        }
        assert_eq!(lines(b"", 1), []);
        assert_eq!(lines(b"\n\n", 1), []);
    }

    #[test]
    fn a_line_is_there_as_soon_as_its_end_is() {
        let mut reader = LineReader::new(Drops(b"one\ntwo\n", 4));
        let batch = reader.next_batch().unwrap().unwrap();
        assert_eq!(batch.lines().next(), Some(InputLine { number: 1, bytes: Some(b"one") }));
        assert_eq!(batch.lines().count(), 1);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_thrown_away() {
        for len in [MAX_LINE_LEN + 1, MAX_LINE_LEN + READ_LEN, 3 * MAX_LINE_LEN] {
            for end in ["\nnext\n", "\nnext", ""] {
                let text = format!("first\n{}{end}", "x".repeat(len));
                let mut expected = vec![(1, Some("first".to_owned())), (2, None)];
                if !end.is_empty() {
                    expected.push((3, Some("next".to_owned())));
                }
                assert_eq!(lines(text.as_bytes(), 60_000), expected, "{len} bytes");
            }
        }
        let longest = "x".repeat(MAX_LINE_LEN);
        assert_eq!(lines(format!("{longest}\n").as_bytes(), 60_000), [(1, Some(longest))]);
    }

    #[test]
    fn what_is_thrown_away_is_not_held() {
        let text = vec![b'x'; 8 * MAX_LINE_LEN];
        let mut reader = LineReader::new(&text[..]);
        let batch = reader.next_batch().unwrap().unwrap();
        assert!(batch.bytes.len() <= MAX_LINE_LEN + READ_LEN, "{}", batch.bytes.len());
        assert_eq!(batch.lines().collect::<Vec<_>>(), [InputLine { number: 1, bytes: None }]);
    }
}

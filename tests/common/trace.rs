//! A trace of requests to a language model, turned into commands, with what must come of them.
//!
//! The expectations are computed here, on plain maps and without a type of the library: an independent computation to
//! hold the library to. Everything follows from the trace alone; there is no chance in it.

#![allow(dead_code, reason = "each test and benchmark that takes this file in uses another part of it")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The public trace, where it lies beside the repository (its README there says where it comes from).
const PUBLIC_TRACE: &str = "../shared/data/azure-llm-2023-code.csv";
/// A short trace of our own, made up, for where the public one is not there.
const SAMPLE_TRACE: &str = "tests/fixtures/requests-sample.csv";
/// So many requests make room for one new goal.
const REQUESTS_PER_GOAL: usize = 3;
/// Turns go to one of so many of the newest goals.
const RECENT_GOALS: usize = 40;

/// One request of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LlmRequest {
    /// Tokens that the model read.
    pub(crate) context_tokens: u64,
    /// Tokens that the model wrote.
    pub(crate) generated_tokens: u64,
}

/// A command, free of the library: a test maps it to the library's own, or writes it as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TraceOp {
    CreateGoal {
        goal_id: String,
        scope: Option<String>,
        token_budget: Option<u128>,
        parent_goal: Option<String>,
    },
    RecordTurnOnGoal {
        goal_id: String,
        tokens: u64,
        seconds: u64,
    },
    RecordTurnInScope {
        scope: String,
        tokens: u64,
        seconds: u64,
    },
    CompleteGoal {
        goal_id: String,
    },
    ResumeGoal {
        goal_id: String,
    },
    RaiseBudget {
        goal_id: String,
        token_budget: u128,
    },
}

/// A command with its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceCommand {
    pub(crate) key: String,
    pub(crate) op: TraceOp,
}

/// What must have come of a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedGoal {
    pub(crate) status: &'static str,
    pub(crate) pause_reason: Option<&'static str>,
    pub(crate) token_budget: Option<u128>,
    pub(crate) tokens_used: u128,
    pub(crate) tokens_own: u128,
    pub(crate) turns_used: u64,
    pub(crate) seconds_used: u64,
}

/// What must have come of all commands.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) goals: HashMap<String, ExpectedGoal>,
    /// Tokens of all turns that were booked.
    pub(crate) tokens: u128,
    /// Turns that were booked.
    pub(crate) turns: u64,
    /// Turns of scopes without an active goal: answered, and not booked.
    pub(crate) turns_without_goal: u64,
    /// Commands that are refused because of a budget.
    pub(crate) refused: u64,
}

/// The commands of a trace, in order, and what must come of them.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) source: PathBuf,
    pub(crate) commands: Vec<TraceCommand>,
    pub(crate) expected: Expected,
}

impl Trace {
    /// From the public trace if it is there, else from the sample; `manifest_dir` is the root of the crate.
    pub(crate) fn load(manifest_dir: &str) -> Trace {
        let root = Path::new(manifest_dir);
        let public = root.join(PUBLIC_TRACE);
        let source = if public.exists() { public } else { root.join(SAMPLE_TRACE) };
        Trace::from_requests(source.clone(), &read_requests(&source))
    }

    /// From the sample, whatever else is there: short runs.
    pub(crate) fn load_sample(manifest_dir: &str) -> Trace {
        let source = Path::new(manifest_dir).join(SAMPLE_TRACE);
        Trace::from_requests(source.clone(), &read_requests(&source))
    }

    fn from_requests(source: PathBuf, requests: &[LlmRequest]) -> Trace {
        assert!(!requests.is_empty(), "no requests in {}", source.display());
        let mut script = Script::default();
        for (index, request) in requests.iter().enumerate() {
            script.play(index, *request);
        }
        let commands = script.ops.into_iter().enumerate();
        let commands =
            commands.map(|(index, op)| TraceCommand { key: format!("trace-{index}"), op }).collect();
        Trace { source, commands, expected: script.book.expected() }
    }
}

impl TraceCommand {
    /// As a line for `tallybook apply`, without the line end.
    pub(crate) fn to_json(&self) -> String {
        let optional_text = |name: &str, value: &Option<String>| {
            value.as_ref().map_or(String::new(), |value| format!(r#","{name}":"{value}""#))
        };
        let body = match &self.op {
            TraceOp::CreateGoal { goal_id, scope, token_budget, parent_goal } => format!(
                r#""op":"create_goal","goal_id":"{goal_id}","text":"goal {goal_id}"{}{}{}"#,
                optional_text("scope", scope),
                optional_text("parent_goal", parent_goal),
                optional_text("token_budget", &token_budget.map(|limit| limit.to_string())),
            ),
            TraceOp::RecordTurnOnGoal { goal_id, tokens, seconds } => {
                format!(r#""op":"record_turn","goal_id":"{goal_id}","tokens":"{tokens}","seconds":{seconds}"#)
            }
            TraceOp::RecordTurnInScope { scope, tokens, seconds } => {
                format!(r#""op":"record_turn","scope":"{scope}","tokens":"{tokens}","seconds":{seconds}"#)
            }
            TraceOp::CompleteGoal { goal_id } => {
                format!(r#""op":"transition_goal","goal_id":"{goal_id}","to":"completed""#)
            }
            TraceOp::ResumeGoal { goal_id } => {
                format!(r#""op":"transition_goal","goal_id":"{goal_id}","to":"active""#)
            }
            TraceOp::RaiseBudget { goal_id, token_budget } => format!(
                r#""op":"set_goal_budget","goal_id":"{goal_id}","token_budget":"{token_budget}","resume":true"#
            ),
        };
        format!(r#"{{{body},"key":"{}"}}"#, self.key)
    }
}

/// Reads the lines `TIMESTAMP,ContextTokens,GeneratedTokens`; comments begin with `#`.
#[expect(clippy::disallowed_methods, reason = "the trace is a file of the repository, or beside it")]
fn read_requests(path: &Path) -> Vec<LlmRequest> {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("expected a trace in {}: {error}", path.display()));
    let is_request = |line: &&str| !line.starts_with('#') && !line.starts_with("TIMESTAMP");
    text.lines().filter(is_request).map(|line| request(line, path)).collect()
}

fn request(line: &str, path: &Path) -> LlmRequest {
    let mut fields = line.split(',').skip(1).map(|field| field.trim().parse());
    match (fields.next(), fields.next(), fields.next()) {
        (Some(Ok(context_tokens)), Some(Ok(generated_tokens)), None) => {
            LlmRequest { context_tokens, generated_tokens }
        }
        _ => panic!("expected a time and two numbers in {}, found {line:?}", path.display()),
    }
}

/// What the agents of the trace do: decided from the requests and from what the books say so far.
#[derive(Default)]
struct Script {
    book: Book,
    ops: Vec<TraceOp>,
}

impl Script {
    fn play(&mut self, index: usize, request: LlmRequest) {
        if index.is_multiple_of(REQUESTS_PER_GOAL) {
            self.create_goal(index / REQUESTS_PER_GOAL);
        }
        self.turn(index, request);
        match index % 16 {
            5 => self.resume(index),
            9 => self.raise(index),
            13 => self.complete(index),
            _ => {}
        }
    }

    /// Every third goal hangs under another, up to four deep; every fifth shares a scope with others.
    fn create_goal(&mut self, number: usize) {
        let goal_id = format!("00000000-0000-7000-8000-{number:012x}");
        let parent = (number % 3 == 1).then(|| self.book.recent(number * 7)).flatten();
        let parent = parent.filter(|parent| self.book.can_have_children(parent));
        let scope = match (&parent, number % 5) {
            (Some(_), _) => None,
            (None, 2) => Some(format!("shared-{}", number % 4)),
            (None, _) => Some(format!("session-{number}")),
        };
        // From well below what a few turns use to far beyond; those that share a scope have none.
        let is_shared = scope.as_ref().is_some_and(|scope| scope.starts_with("shared"));
        let token_budget = (!is_shared && number % 2 == 1).then(|| 2_000 + (number as u128 * 7_919) % 40_000);
        self.book.create(&goal_id, scope.clone(), token_budget, parent.clone());
        self.ops.push(TraceOp::CreateGoal { goal_id, scope, token_budget, parent_goal: parent });
    }

    fn turn(&mut self, index: usize, request: LlmRequest) {
        let tokens = request.context_tokens + request.generated_tokens;
        let seconds = request.generated_tokens / 20;
        if index % 8 == 3 {
            let scope = format!("shared-{}", index % 5);
            self.book.turn_in_scope(&scope, tokens, seconds);
            self.ops.push(TraceOp::RecordTurnInScope { scope, tokens, seconds });
        } else if let Some(goal_id) = self.book.recent(index * 31) {
            self.book.turn(&goal_id, tokens, seconds);
            self.ops.push(TraceOp::RecordTurnOnGoal { goal_id, tokens, seconds });
        }
    }

    /// Asks to resume a goal whose budget is used up, which is refused.
    fn resume(&mut self, from: usize) {
        if let Some(goal_id) = self.book.recent_where(from, |book, id| book.is_exhausted(id)) {
            self.book.refused += 1;
            self.ops.push(TraceOp::ResumeGoal { goal_id });
        }
    }

    /// Raises a budget that is used up, and resumes: refused where another above it is used up, too.
    fn raise(&mut self, from: usize) {
        let wanted = |book: &Book, id: &str| book.is_exhausted(id) && book.is_under_active_or_exhausted(id);
        let Some(goal_id) = self.book.recent_where(from, wanted) else { return };
        let token_budget = self.book.raise(&goal_id, 25_000);
        self.ops.push(TraceOp::RaiseBudget { goal_id, token_budget });
    }

    fn complete(&mut self, from: usize) {
        if let Some(goal_id) = self.book.recent_where(from, |book, id| book.is_open(id)) {
            self.book.complete(&goal_id);
            self.ops.push(TraceOp::CompleteGoal { goal_id });
        }
    }
}

/// The rules once more, as plainly as they can be written down.
#[derive(Default)]
struct Book {
    order: Vec<String>,
    goals: HashMap<String, BookedGoal>,
    active_in_scope: HashMap<String, String>,
    tokens: u128,
    turns: u64,
    turns_without_goal: u64,
    refused: u64,
}

struct BookedGoal {
    parent: Option<String>,
    children: Vec<String>,
    scope: String,
    depth: usize,
    expected: ExpectedGoal,
}

impl Book {
    fn recent(&self, pick: usize) -> Option<String> {
        let recent = self.order.len().min(RECENT_GOALS);
        self.order.iter().rev().nth(pick.checked_rem(recent)?).cloned()
    }

    fn recent_where(&self, from: usize, wanted: impl Fn(&Book, &str) -> bool) -> Option<String> {
        let picks = (from..from + RECENT_GOALS).filter_map(|pick| self.recent(pick));
        picks.into_iter().find(|id| wanted(self, id))
    }

    fn is_open(&self, id: &str) -> bool {
        matches!(self.goals[id].expected.status, "active" | "paused")
    }

    fn is_active(&self, id: &str) -> bool {
        self.goals[id].expected.status == "active"
    }

    /// A goal that shares its scope may be superseded, and then what hangs under it is paused in ways that are left
    /// to other tests.
    fn can_have_children(&self, id: &str) -> bool {
        let goal = &self.goals[id];
        self.is_active(id) && goal.depth < 4 && !goal.scope.starts_with("shared")
    }

    fn is_used_up(&self, id: &str) -> bool {
        let goal = &self.goals[id].expected;
        goal.token_budget.is_some_and(|limit| goal.tokens_used >= limit)
    }

    /// Paused, with its own budget used up.
    fn is_exhausted(&self, id: &str) -> bool {
        self.goals[id].expected.status == "paused" && self.is_used_up(id)
    }

    fn is_under_active_or_exhausted(&self, id: &str) -> bool {
        let parent = self.goals[id].parent.as_ref();
        parent.is_none_or(|parent| {
            self.is_active(parent) || self.above(id).any(|above| self.is_used_up(&above))
        })
    }

    fn above(&self, id: &str) -> impl Iterator<Item = String> {
        std::iter::successors(self.goals[id].parent.clone(), |id| self.goals[id].parent.clone())
    }

    fn create(
        &mut self,
        id: &str,
        scope: Option<String>,
        token_budget: Option<u128>,
        parent: Option<String>,
    ) {
        let scope = scope.unwrap_or_else(|| id.to_owned());
        if let Some(other) = self.active_in_scope.get(&scope).cloned() {
            self.set(&other, "paused", Some("superseded"));
        }
        let depth = parent.as_ref().map_or(0, |parent| self.goals[parent].depth + 1);
        if let Some(parent) = &parent {
            self.goal(parent).children.push(id.to_owned());
        }
        let expected = ExpectedGoal {
            status: "active",
            pause_reason: None,
            token_budget,
            tokens_used: 0,
            tokens_own: 0,
            turns_used: 0,
            seconds_used: 0,
        };
        self.active_in_scope.insert(scope.clone(), id.to_owned());
        self.goals.insert(id.to_owned(), BookedGoal { parent, children: Vec::new(), scope, depth, expected });
        self.order.push(id.to_owned());
    }

    fn turn_in_scope(&mut self, scope: &str, tokens: u64, seconds: u64) {
        match self.active_in_scope.get(scope).cloned() {
            Some(id) => self.turn(&id, tokens, seconds),
            None => self.turns_without_goal += 1,
        }
    }

    fn turn(&mut self, id: &str, tokens: u64, seconds: u64) {
        self.tokens += u128::from(tokens);
        self.turns += 1;
        let own = &mut self.goal(id).expected;
        own.tokens_own += u128::from(tokens);
        own.turns_used += 1;
        own.seconds_used += seconds;
        let path: Vec<String> = std::iter::once(id.to_owned()).chain(self.above(id)).collect();
        for node in path {
            let was_used_up = self.is_used_up(&node);
            self.goal(&node).expected.tokens_used += u128::from(tokens);
            if !was_used_up && self.is_used_up(&node) {
                self.pause_from(&node);
            }
        }
    }

    /// Pauses whatever is active at and below a goal whose budget is used up.
    fn pause_from(&mut self, id: &str) {
        if self.is_active(id) {
            self.set(id, "paused", Some("budget_exhausted"));
        }
        for child in self.goals[id].children.clone() {
            self.pause_from(&child);
        }
    }

    /// Raises the limit beyond what is used, and resumes; gives the limit that was asked for.
    fn raise(&mut self, id: &str, by: u128) -> u128 {
        let limit = self.goals[id].expected.tokens_used + by;
        if self.above(id).any(|above| self.is_used_up(&above)) {
            self.refused += 1;
        } else {
            self.goal(id).expected.token_budget = Some(limit);
            self.set(id, "active", None);
        }
        limit
    }

    fn complete(&mut self, id: &str) {
        for child in self.goals[id].children.clone() {
            self.clear_from(&child);
        }
        self.set(id, "completed", None);
    }

    fn clear_from(&mut self, id: &str) {
        for child in self.goals[id].children.clone() {
            self.clear_from(&child);
        }
        if self.is_open(id) {
            self.set(id, "cleared", None);
        }
    }

    fn set(&mut self, id: &str, status: &'static str, pause_reason: Option<&'static str>) {
        let goal = self.goal(id);
        goal.expected.status = status;
        goal.expected.pause_reason = pause_reason;
        let scope = goal.scope.clone();
        if status == "active" {
            self.active_in_scope.insert(scope, id.to_owned());
        } else if self.active_in_scope.get(&scope).is_some_and(|active| active == id) {
            self.active_in_scope.remove(&scope);
        }
    }

    fn goal(&mut self, id: &str) -> &mut BookedGoal {
        self.goals.get_mut(id).expect("the script names only goals that it created")
    }

    fn expected(self) -> Expected {
        Expected {
            goals: self.goals.into_iter().map(|(id, goal)| (id, goal.expected)).collect(),
            tokens: self.tokens,
            turns: self.turns,
            turns_without_goal: self.turns_without_goal,
            refused: self.refused,
        }
    }
}

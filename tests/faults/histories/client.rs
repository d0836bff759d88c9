//! One client of the engine: asks, on a thread of its own, and records what it asked and was told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tallybook::{
    Blocking, BlockingHold, Clock, CommandError, Hold, ManualClock, MarkUnknown, NewReservation, RefusalKind,
    Release, Request, Reservation, ReservationStatus, Settle, Spend, SpendRecord,
};

use super::history::{
    Answer, Ask, Name, Op, Shown, allowed, answer_of, done, hold_shown, name, spend_shown, whole,
};
use super::wishes::{Wishes, goal};

/// What all clients share.
pub(super) struct Table {
    pub(super) clock: ManualClock,
    /// Held by who moves the clock: it never goes back.
    moving: Mutex<()>,
    /// A stamp for every invocation and completion, of whatever thread.
    pub(super) order: AtomicU64,
    /// What was asked, for others to ask again.
    pub(super) asked: Mutex<Vec<Request>>,
    /// Only where turns are never added up: then each that is accounted is an event of its own.
    pub(super) accounts: bool,
}

impl Table {
    pub(super) fn new(clock: ManualClock, accounts: bool) -> Table {
        let (moving, order, asked) = (Mutex::default(), AtomicU64::new(0), Mutex::default());
        Table { clock, moving, order, asked, accounts }
    }

    fn advance(&self, by: Duration) {
        let _moving = self.moving.lock().unwrap();
        self.clock.advance(by);
    }
}

/// A client, whatever becomes of the engine.
pub(super) struct Client {
    pub(super) wishes: Wishes,
    /// Whether it has no runtime; otherwise its answers come by the writer's thread.
    pub(super) is_blocking: bool,
    /// How often it will ask.
    pub(super) left: u64,
    /// What it was not answered, to be asked again.
    pub(super) again: Vec<Request>,
}

/// A client at work on an engine.
pub(super) struct Work<'a> {
    pub(super) engine: Blocking,
    pub(super) table: &'a Table,
    pub(super) ops: Vec<Op>,
    holds: Vec<Held>,
}

/// A hold, and whether its dropping releases something.
struct Held {
    hold: AnyHold,
    is_armed: bool,
}

enum AnyHold {
    Blocking(BlockingHold),
    Async(Hold),
}

impl Client {
    /// Works until all is asked, or the engine ends. What it asked.
    pub(super) fn work(&mut self, engine: &Blocking, table: &Table) -> Vec<Op> {
        let mut work = Work::new(engine.clone(), table);
        let again = std::mem::take(&mut self.again);
        let mut is_open = again.into_iter().all(|request| work.execute(self, request));
        while is_open && self.left > 0 {
            self.left -= 1;
            is_open = self.step(&mut work);
        }
        while let Some(held) = work.holds.pop() {
            work.drop_hold(held);
        }
        work.ops
    }

    fn step(&mut self, work: &mut Work<'_>) -> bool {
        match self.wishes.below(100) {
            0..7 => work.read(Ask::View),
            7..9 => work.read(Ask::SettledView),
            9..15 => {
                let amount = u128::from(1 + self.wishes.below(200));
                work.read(Ask::Check(self.wishes.budget().into(), amount))
            }
            15..22 => {
                work.table.advance(Duration::from_millis(1 + self.wishes.below(12)));
                true
            }
            22..32 => self.with_a_hold(work),
            32..42 => {
                let asked = work.table.asked.lock().unwrap();
                let recent = asked.len().saturating_sub(12) as u64;
                let index = recent + self.wishes.below(asked.len() as u64 - recent);
                let request = asked[usize::try_from(index).unwrap()].clone();
                drop(asked);
                work.execute(self, request)
            }
            42..50 => {
                let requests = (0..2 + self.wishes.below(3)).map(|_| self.wishes.command()).collect();
                work.execute_all(self, requests)
            }
            50..58 => {
                let new = self.wishes.new_hold();
                work.reserve(self, new)
            }
            58..62 if work.table.accounts => {
                let (id, turn) = (goal(self.wishes.below(3)), self.wishes.turn());
                let engine = work.engine.clone();
                work.record(Ask::Account(id, turn.clone()), || {
                    engine.account_turn(id, turn);
                    Some(Answer::Nobody)
                })
            }
            _ => {
                let request = self.wishes.command();
                work.execute(self, request)
            }
        }
    }

    fn with_a_hold(&mut self, work: &mut Work<'_>) -> bool {
        let Some(mut held) = work.holds.pop() else { return work.read(Ask::View) };
        let id = held.hold.id();
        let is_open = match self.wishes.below(10) {
            0..4 => {
                work.drop_hold(held);
                return true;
            }
            4..7 => {
                let spend = self.wishes.settling();
                let ask = Settle { reservation_id: (&*id).into(), spend: spend.clone() };
                work.end_hold(&mut held, ask.into(), |hold| hold.settle(spend))
            }
            7 => {
                let ask = Release { reservation_id: (&*id).into() };
                work.end_hold(&mut held, ask.into(), |hold| hold.release())
            }
            8 => {
                let ask = MarkUnknown { reservation_id: (&*id).into() };
                work.end_hold(&mut held, ask.into(), |hold| hold.mark_unknown())
            }
            _ => {
                held.hold.keep();
                return true;
            }
        };
        if held.is_armed {
            work.holds.push(held)
        } else {
            drop(held)
        }
        is_open
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(engine: Blocking, table: &'a Table) -> Work<'a> {
        Work { engine, table, ops: Vec::new(), holds: Vec::new() }
    }

    fn stamp(&self) -> u64 {
        self.table.order.fetch_add(1, Ordering::SeqCst)
    }

    /// Asks, and records it; not what an engine that had ended did not do. Whether the engine goes on.
    fn record(&mut self, ask: Ask, run: impl FnOnce() -> Option<Answer>) -> bool {
        let (clock, invoked) = (self.table.clock.now(), self.stamp());
        let answer = run();
        let completed = self.stamp();
        let Some(answer) = answer else { return false };
        let is_open = answer != Answer::Unknown;
        self.ops.push(Op { ask, invoked, completed, clock, answer });
        is_open
    }

    fn note(&self, request: &Request) {
        self.table.asked.lock().unwrap().push(request.clone());
    }

    /// One command. What is not answered is to be asked again.
    pub(super) fn execute(&mut self, client: &mut Client, request: Request) -> bool {
        self.note(&request);
        let (engine, asked, is_blocking) = (self.engine.clone(), request.clone(), client.is_blocking);
        let is_open = self.record(Ask::Command(request.clone()), || {
            let answer = match is_blocking {
                true => engine.execute(asked),
                false => pollster::block_on(engine.engine().execute(asked)),
            };
            answer_of(answer.map(done))
        });
        if !is_open {
            client.again.push(request);
        }
        is_open
    }

    /// Several commands that are handed over at once, and answered one after the other.
    fn execute_all(&mut self, client: &mut Client, requests: Vec<Request>) -> bool {
        let clock = self.table.clock.now();
        let invoked: Vec<u64> = requests.iter().map(|_| self.stamp()).collect();
        let pending = self.engine.submit_all(requests.clone());
        let mut is_open = pending.is_ok();
        let mut answers = pending.unwrap_or_default().into_iter();
        for (request, invoked) in requests.into_iter().zip(invoked) {
            self.note(&request);
            // Of those that were not handed over all, some may have been.
            let answer =
                answers.next().map_or(Some(Answer::Unknown), |answer| answer_of(answer.wait().map(done)));
            let completed = self.stamp();
            if answer.as_ref().is_none_or(|answer| *answer == Answer::Unknown) {
                is_open = false;
                client.again.push(request.clone());
            }
            if let Some(answer) = answer {
                self.ops.push(Op { ask: Ask::Command(request), invoked, completed, clock, answer });
            }
        }
        is_open
    }

    fn reserve(&mut self, client: &mut Client, new: NewReservation) -> bool {
        let request = Request::from(new);
        self.note(&request);
        let (engine, asked, is_blocking) = (self.engine.clone(), request.clone(), client.is_blocking);
        let mut made = None;
        let is_open = self.record(Ask::Command(request.clone()), || {
            let hold = match is_blocking {
                true => engine.reserve_with(asked).map(AnyHold::Blocking),
                false => pollster::block_on(engine.engine().reserve_with(asked)).map(AnyHold::Async),
            };
            let answer = hold.map(|hold| {
                let shown = Shown::Hold(hold_shown(hold.reservation()));
                made = Some(hold);
                Answer::Typed(shown)
            });
            answer_of(answer)
        });
        if !is_open {
            client.again.push(request);
        }
        let held =
            made.map(|hold| Held { is_armed: hold.reservation().status == ReservationStatus::Open, hold });
        self.holds.extend(held);
        is_open
    }

    /// Ends a reservation by its hold. After that there is nothing to be released, unless it was not ended.
    fn end_hold<T: ShowsIt>(
        &mut self,
        held: &mut Held,
        ask: Request,
        end: impl FnOnce(&AnyHold) -> Result<T, CommandError>,
    ) -> bool {
        let (hold, mut is_armed) = (&held.hold, held.is_armed);
        let is_open = self.record(Ask::Command(ask), || {
            let answer = end(hold);
            is_armed &= match &answer {
                Ok(_) => false,
                Err(CommandError::Refused(refusal)) => refusal.kind != RefusalKind::ReservationGone,
                Err(CommandError::Rejected(_)) => true,
                Err(CommandError::Engine(error)) => *error.kind() != tallybook::ErrorKind::OutcomeUnknown,
            };
            answer_of(answer.map(|it| Answer::Typed(it.shown())))
        });
        held.is_armed = is_armed;
        is_open
    }

    fn drop_hold(&mut self, held: Held) {
        let Held { hold, is_armed } = held;
        if !is_armed {
            return drop(hold);
        }
        self.record(Ask::Drop(hold.id()), || {
            drop(hold);
            Some(Answer::Nobody)
        });
    }

    fn read(&mut self, ask: Ask) -> bool {
        let engine = self.engine.clone();
        self.record(ask.clone(), || match ask {
            Ask::Check(budget, amount) => {
                answer_of(engine.check(&*budget, amount).map(|allowance| Answer::Read(allowed(&allowance))))
            }
            Ask::SettledView => {
                let view = engine.settled_view().map_err(CommandError::from);
                answer_of(view.map(|view| Answer::Read(Shown::Whole(whole(&view, view.seq()).into()))))
            }
            _ => {
                let view = engine.view();
                Some(Answer::Read(Shown::Whole(whole(&view, view.seq()).into())))
            }
        })
    }
}

/// What ending a reservation by its hold shows.
trait ShowsIt {
    fn shown(&self) -> Shown;
}

impl ShowsIt for SpendRecord {
    fn shown(&self) -> Shown {
        Shown::Spend(spend_shown(self))
    }
}

impl ShowsIt for Reservation {
    fn shown(&self) -> Shown {
        Shown::Hold(hold_shown(self))
    }
}

impl AnyHold {
    fn id(&self) -> Name {
        name(&self.reservation().id)
    }

    fn reservation(&self) -> &Reservation {
        match self {
            AnyHold::Blocking(hold) => hold.reservation(),
            AnyHold::Async(hold) => hold.reservation(),
        }
    }

    fn settle(&self, spend: Spend) -> Result<SpendRecord, CommandError> {
        match self {
            AnyHold::Blocking(hold) => hold.settle(spend),
            AnyHold::Async(hold) => pollster::block_on(hold.settle(spend)),
        }
    }

    fn release(&self) -> Result<Reservation, CommandError> {
        match self {
            AnyHold::Blocking(hold) => hold.release(),
            AnyHold::Async(hold) => pollster::block_on(hold.release()),
        }
    }

    fn mark_unknown(&self) -> Result<Reservation, CommandError> {
        match self {
            AnyHold::Blocking(hold) => hold.mark_unknown(),
            AnyHold::Async(hold) => pollster::block_on(hold.mark_unknown()),
        }
    }

    fn keep(self) {
        match self {
            AnyHold::Blocking(hold) => drop(hold.keep()),
            AnyHold::Async(hold) => drop(hold.keep()),
        }
    }
}

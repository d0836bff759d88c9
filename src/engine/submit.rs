//! Handing commands over: from the caller, past the host's risk assessor, into the inbox.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::answer::{CommandError, Pending, Receipt, writer_is_gone};
use super::handle::Engine;
use super::hold::{Claim, Hold, OnBehalf};
use super::inbox::{Assessed, Work};
use super::reply::Reply;
use super::risk::RiskCase;
use super::vector::Commands;
use crate::domain::{Command, Request};
use crate::error::{Error, ErrorKind};

impl Engine {
    /// Carries out a command, and answers once its outcome is durable. While the inbox is full it waits.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn execute(&self, request: impl Into<Request>) -> Result<Receipt, CommandError> {
        self.submit(request).await?.await
    }

    /// Hands a command over, waiting only for a place in the inbox (and for the [risk
    /// assessor](super::Options::risk_assessor), where there is one to ask), not for the outcome. Commands that one
    /// caller hands over are carried out in that order.
    ///
    /// # Errors
    /// `Halted` or `Closed`: nothing was written.
    pub async fn submit(&self, request: impl Into<Request>) -> Result<Pending, Error> {
        let request = request.into();
        let assessed = match self.takes_place_at_once() {
            true => Assessed { request, veto: None },
            false => self.assess_and_reserve(request).await?,
        };
        let (work, pending) = of_one(assessed);
        self.hand_over(work)?;
        Ok(pending)
    }

    /// Hands many commands over at once, in order: the cheapest way to have many in flight. There is one answer for
    /// each; if the engine ends before all were handed over, the rest are answered so. Where there is a risk assessor,
    /// it is asked about all of them first.
    ///
    /// # Errors
    /// `Halted` or `Closed`, when none was handed over.
    pub async fn submit_all(&self, requests: Vec<Request>) -> Result<Vec<Pending>, Error> {
        let total = requests.len();
        let mut pending = Vec::with_capacity(total);
        let (mut requests, mut vetoes) = self.assess_all(requests).await?;
        while pending.len() < total {
            let fits = self.shared().inbox.capacity();
            let later = requests.split_off(fits.min(requests.len()));
            let later_vetoes = vetoes.split_off(fits.min(vetoes.len()));
            let (commands, answers) = Commands::new(requests, vetoes);
            (requests, vetoes) = (later, later_vetoes);
            if let Err(error) = self.hand_over_all(commands).await {
                if pending.is_empty() {
                    return Err(error);
                }
                pending.resize_with(total, || Pending::answered(Err(error.clone().into())));
                break;
            }
            pending.extend(answers);
        }
        Ok(pending)
    }

    async fn hand_over_all(&self, commands: Commands) -> Result<(), Error> {
        self.shared().inbox.reserve(commands.len()).await?;
        self.hand_over(Work::Commands(commands))
    }

    /// Hands a command over if there is a place in the inbox.
    ///
    /// # Errors
    /// `Busy` when there is none, `Halted` or `Closed`; `InvalidArgument` for a command that the risk assessor has to
    /// be asked about, since that takes time. Nothing was written.
    pub fn try_submit(&self, request: impl Into<Request>) -> Result<Pending, Error> {
        let request = request.into();
        if self.shared().risk.is_some() && RiskCase::is_due_for(&request.command) {
            let op = request.command.op();
            let message = format!("{op} has to be put before the risk assessor, which takes time: submit it");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        self.shared().inbox.try_reserve()?;
        let (work, pending) = of_one(Assessed { request, veto: None });
        self.hand_over(work)?;
        Ok(pending)
    }

    /// Takes a place in the inbox and puts a command there; somebody has to be kicked.
    async fn enqueue(&self, request: Request) -> Result<Pending, Error> {
        let assessed = self.assess_and_reserve(request).await?;
        self.put(assessed)
    }

    /// The same on this thread, which waits where that has to be waited for.
    pub(super) fn enqueue_blocking(&self, request: Request) -> Result<Pending, Error> {
        match self.takes_place_at_once() {
            true => self.put(Assessed { request, veto: None }),
            false => pollster::block_on(self.enqueue(request)),
        }
    }

    fn put(&self, assessed: Assessed) -> Result<Pending, Error> {
        let (work, pending) = of_one(assessed);
        self.shared().inbox.put(work)?;
        Ok(pending)
    }

    /// Takes a place in the inbox, if there is one and nobody is to be asked first: mostly there is nothing to wait for.
    fn takes_place_at_once(&self) -> bool {
        self.shared().risk.is_none() && self.shared().inbox.takes_place()
    }

    async fn assess_and_reserve(&self, request: Request) -> Result<Assessed, Error> {
        let assessed = self.assess(request).await?;
        self.shared().inbox.reserve(1).await?;
        Ok(assessed)
    }

    /// The same for a reservation that the caller is to hold.
    pub(super) async fn enqueue_hold(&self, request: Request) -> Result<PendingHold, Error> {
        if !matches!(request.command, Command::Reserve(_)) {
            let message = format!("expected a command that reserves, found {}", request.command.op());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let by = OnBehalf { actor: request.actor.clone(), session_id: request.session_id.clone() };
        let assessed = self.assess(request).await?;
        self.shared().inbox.reserve(1).await?;
        let (reply, claim) = oneshot::channel();
        self.shared().inbox.put(Work::Command(assessed, Reply::Hold(reply)))?;
        Ok(PendingHold { engine: self.clone(), by, claim })
    }

    /// Asks the risk assessor, where there is one and the command is one to ask about.
    async fn assess(&self, request: Request) -> Result<Assessed, Error> {
        let Some(risk) = &self.shared().risk else { return Ok(Assessed { request, veto: None }) };
        self.shared().inbox.check_open()?;
        let veto = match RiskCase::of_command(&request, || self.view()) {
            Some(case) => risk.assess(case).await,
            None => None,
        };
        Ok(Assessed { request, veto })
    }

    /// The same for many, several at a time: the requests, and what is said against each; nothing where nobody is asked.
    async fn assess_all(
        &self,
        requests: Vec<Request>,
    ) -> Result<(Vec<Request>, Vec<Option<Arc<str>>>), Error> {
        let Some(risk) = &self.shared().risk else { return Ok((requests, Vec::new())) };
        self.shared().inbox.check_open()?;
        let mut vetoes: Vec<Option<Arc<str>>> = Vec::with_capacity(requests.len());
        for some in requests.chunks(risk.parallelism().max(1)) {
            let verdict_on =
                |request| RiskCase::of_command(request, || self.view()).map(|case| risk.assess(case));
            let under_way: Vec<_> = some.iter().map(verdict_on).collect();
            for verdict in under_way {
                vetoes.push(match verdict {
                    Some(verdict) => verdict.await,
                    None => None,
                });
            }
        }
        Ok((requests, vetoes))
    }
}

/// A command by itself, and the handle on its answer.
fn of_one(assessed: Assessed) -> (Work, Pending) {
    let (reply, pending) = Pending::new();
    (Work::Command(assessed, Reply::Answer(reply)), pending)
}

/// A reservation that was handed over, and whose caller is to hold it.
pub(super) struct PendingHold {
    engine: Engine,
    by: OnBehalf,
    claim: oneshot::Receiver<Result<Claim, CommandError>>,
}

impl PendingHold {
    pub(super) async fn claim(self) -> Result<Hold, CommandError> {
        let claim = self.claim.await.map_err(|_| writer_is_gone())??;
        Ok(Hold::new(self.engine, self.by, claim))
    }
}

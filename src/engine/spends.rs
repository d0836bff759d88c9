//! The entries of budgets: from the state as far as they are remembered, beyond that from the journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::memmem;

use super::answer::CommandError;
use super::frames::{decode_line, lines};
use super::handle::Engine;
use super::published::View;
use super::shared::Shared;
use crate::domain::{Rejection, RejectionKind, SpendQuery, SpendRecord};
use crate::error::Error;
use crate::event::{ChangeEvent, Payload};
use crate::ids::SpendId;
use crate::journal::Walk;

impl Engine {
    /// The entries of budgets, newest first, as of the published state. What is not remembered any more is read from the
    /// journal, as far back as that is retained, on the caller's thread: that takes as long as reading the journal does. Of
    /// two spends with the same id, one of which was forgotten before the other was made, `before` means the newer.
    ///
    /// # Errors
    /// Rejected as `NotFound` when there is no spend [`before`](SpendQuery::before) which to list. `Io` and `Damaged` when
    /// the journal cannot be read.
    pub fn list_spends(&self, query: &SpendQuery) -> Result<Vec<SpendRecord>, CommandError> {
        let view = self.view();
        let remembered = view.list_spends(query);
        let is_known = query.before.as_ref().is_none_or(|id| view.spend(id).is_some());
        if is_known && (remembered.len() >= query.limit || view.remembers_all_spends()) {
            return Ok(remembered);
        }
        let journal = Journaled { shared: self.shared(), view: &view };
        let before = match query.before.as_ref().map(|id| (id, view.spend(id))) {
            None => u64::MAX,
            Some((_, Some(before))) => before.seq,
            Some((id, None)) => match journal.find(id)? {
                Some(seq) => seq,
                None => return Err(no_such_spend(id).into()),
            },
        };
        Ok(journal.list(query, before)?)
    }
}

fn no_such_spend(id: &SpendId) -> Rejection {
    let message = format!("before: expected the id of a spend, found {id}, of which there is none");
    Rejection { kind: RejectionKind::NotFound, message, max: None, goal: None }
}

/// The spends in the journal, up to those of a view.
struct Journaled<'a> {
    shared: &'a Arc<Shared>,
    view: &'a View,
}

impl Journaled<'_> {
    /// The `seq` of the newest spend with that id.
    fn find(&self, id: &SpendId) -> Result<Option<u64>, Error> {
        let mut found = None;
        self.read(|event| {
            if matches!(&event.payload, Payload::SpendRecorded(spend) if spend.spend_id == *id) {
                found = Some(event.seq);
            }
        })?;
        Ok(found)
    }

    /// The newest spends before a `seq`, with what was taken back of them since.
    fn list(&self, query: &SpendQuery, before: u64) -> Result<Vec<SpendRecord>, Error> {
        let mut kept: BTreeMap<u64, SpendRecord> = BTreeMap::new();
        let mut seqs: BTreeMap<SpendId, u64> = BTreeMap::new();
        self.read(|event| match &event.payload {
            Payload::SpendRecorded(spend) => {
                // Reversals that come after this are of this one.
                seqs.remove(&spend.spend_id);
                let is_asked = query.budget_id.as_ref().is_none_or(|id| *id == spend.budget_id);
                if !is_asked || event.seq >= before {
                    return;
                }
                kept.insert(event.seq, SpendRecord::new(&event, spend));
                seqs.insert(spend.spend_id.clone(), event.seq);
                if kept.len() > query.limit
                    && let Some((seq, oldest)) = kept.pop_first()
                    && seqs.get(&oldest.spend_id) == Some(&seq)
                {
                    seqs.remove(&oldest.spend_id);
                }
            }
            Payload::SpendReversed(reversed) => {
                let seq = seqs.get(&reversed.spend_id);
                if let Some(spend) = seq.and_then(|seq| kept.get_mut(seq)) {
                    spend.reversed = spend.reversed.saturating_add(reversed.amount);
                }
            }
            _ => {}
        })?;
        let as_remembered = |spend: SpendRecord| match self.view.spend(&spend.spend_id) {
            Some(remembered) if remembered.seq == spend.seq => remembered.clone(),
            _ => spend,
        };
        Ok(kept.into_values().rev().map(as_remembered).collect())
    }

    /// Reads every event about a spend that is in the view.
    fn read(&self, mut visit: impl FnMut(ChangeEvent)) -> Result<(), Error> {
        let about_spends = memmem::Finder::new(b"\"spend_re");
        let source = self.shared.journal.clone();
        let mut walk = Walk::from_floor(Arc::clone(&self.shared.storage), source)?;
        while walk.next_seq() <= self.view.seq() {
            let Some(place) = walk.next()? else { break };
            for (seq, line) in lines(&place).filter(|(_, line)| about_spends.find(line).is_some()) {
                visit(decode_line(&place, seq, line)?);
            }
        }
        Ok(())
    }
}

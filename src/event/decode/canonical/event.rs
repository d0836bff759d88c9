//! What hosts record of their own.

use crate::event::EventRecorded;
use crate::ids::EventId;

use super::{Reader, Texts};

impl<N: Texts> Reader<'_, N> {
    pub(super) fn event_recorded(&mut self) -> Option<EventRecorded> {
        Some(EventRecorded {
            name: self.after(r#","data":{"name":"#)?.known_text()?,
            event_id: self.if_after(r#","event_id":"#, Reader::name)?.map(EventId),
            body: self.if_after(r#","body":"#, Reader::fingerprint)?,
            data: self.after(r#","data":"#)?.json()?,
        })
    }
}

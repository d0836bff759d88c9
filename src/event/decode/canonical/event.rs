//! What hosts record of their own.

use crate::event::EventRecorded;
use crate::ids::EventId;

use super::Reader;

impl Reader<'_> {
    pub(super) fn event_recorded(&mut self) -> Option<EventRecorded> {
        Some(EventRecorded {
            name: self.after(br#","data":{"name":"#)?.known_text()?,
            event_id: self.if_after(br#","event_id":"#, Reader::name)?.map(EventId),
            body: self.if_after(br#","body":"#, Reader::fingerprint)?,
            data: self.after(br#","data":"#)?.json()?,
        })
    }
}

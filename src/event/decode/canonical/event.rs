//! What hosts record of their own.

use crate::event::EventRecorded;

use super::Reader;

impl Reader<'_> {
    pub(super) fn event_recorded(&mut self) -> Option<EventRecorded> {
        Some(EventRecorded {
            name: self.after(br#","data":{"name":"#)?.text()?,
            event_id: self.if_after(br#","event_id":"#, Reader::id)?,
            body: self.if_after(br#","body":"#, Reader::fingerprint)?,
            data: self.after(br#","data":"#)?.json()?,
        })
    }
}

//! What hosts record of their own.

use crate::event::{EventRecorded, text};

use super::values::{put, put_fingerprint, put_given};

pub(super) fn put_event_recorded(out: &mut Vec<u8>, data: &EventRecorded) {
    put(out, br#""event_recorded","data":{"name":"#);
    text::put(out, &data.name);
    put_given(out, br#","event_id":"#, data.event_id.as_ref(), |out, id| text::put(out, &id.0));
    put_given(out, br#","body":"#, data.body, put_fingerprint);
    put(out, br#","data":"#);
    put(out, data.data.as_str().as_bytes());
}

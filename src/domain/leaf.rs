//! A value of the state together with its digest, which is computed when asked and dropped when the value changes.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// The SHA-256 of one entity's canonical bytes.
pub(super) type Digest = [u8; 32];

/// One entity of the state, shared by all the copies of the state in which it is the same.
#[derive(Debug)]
pub(super) struct Leaf<T> {
    value: T,
    digest: OnceLock<Digest>,
}

impl<T> Leaf<T> {
    pub(super) fn new(value: T) -> Arc<Leaf<T>> {
        Arc::new(Leaf { value, digest: OnceLock::new() })
    }

    /// The digest: what `compute` says of the value the first time it is asked after a change.
    pub(super) fn digest(&self, compute: impl FnOnce(&T) -> Digest) -> &Digest {
        self.digest.get_or_init(|| compute(&self.value))
    }
}

impl<T: Clone> Leaf<T> {
    /// The value, to be changed: copied first if another state shares it.
    pub(super) fn change(leaf: &mut Arc<Leaf<T>>) -> &mut T {
        let leaf = Arc::make_mut(leaf);
        leaf.digest.take();
        &mut leaf.value
    }
}

impl<T> Leaf<T> {
    /// One that is not shared by itself.
    pub(super) fn own(value: T) -> Leaf<T> {
        Leaf { value, digest: OnceLock::new() }
    }

    /// The value of one that is not shared by itself, to be changed.
    pub(super) fn change_own(&mut self) -> &mut T {
        self.digest.take();
        &mut self.value
    }
}

impl<T: Clone> Clone for Leaf<T> {
    /// The digest is that of the copy, too: whoever changes one drops it.
    fn clone(&self) -> Leaf<T> {
        Leaf { value: self.value.clone(), digest: self.digest.clone() }
    }
}

impl<T> Deref for Leaf<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

//! Placeholder until the real one is merged.
use crate::domain::State;
use crate::error::Error;
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Invalid(String),
}
#[derive(Debug, Default)]
pub(crate) struct StateRestorer;
impl StateRestorer {
    pub(crate) fn line(&mut self, _: &[u8]) -> Result<(), RestoreError> {
        Err(RestoreError::Invalid("not there yet".into()))
    }
    pub(crate) fn finish(self) -> Result<State, RestoreError> {
        Err(RestoreError::Unsupported("not there yet".into()))
    }
}
pub(crate) fn write_state(_: &State, line: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    line(b"{}")
}

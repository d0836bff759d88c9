//! Keys for signing checkpoints: Ed25519, in the textual forms of Go's `sumdb/note`, which C2SP signed-note describes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind};
use crate::ids::Entropy;

/// The kind of key: an Ed25519 signature over the text.
const ED25519: u8 = 1;

/// What a private key begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// A key that signs. Whoever has it can make anchors: it belongs where the journal cannot be written from.
pub struct PrivateKey {
    name: String,
    key: SigningKey,
}

/// A key that checks signatures: `name+hash+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

fn invalid(expected: &str, found: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("expected {expected}: {found}"))
}

/// The name of a key is printed in notes, before a space, and in keys, before a plus.
fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |char: char| !char.is_whitespace() && !char.is_control() && char != '+';
    if !name.is_empty() && name.len() <= 200 && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(invalid("the name of a key: 1 to 200 bytes without white space and plus", format!("found {name:?}")))
}

/// The first four bytes of SHA-256 of the name, a line end, the kind and the public key.
fn key_hash(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let mut hash = Sha256::new_with_prefix(name);
    hash.update([b'\n', ED25519]);
    hash.update(public);
    let digest: [u8; 32] = hash.finalize().into();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn hex_of(hash: [u8; 4]) -> String {
    super::hex::encode(&hash)
}

/// The three parts of a key's text: name, hash, and the 32 bytes behind its kind.
fn parts<'a>(text: &'a str, what: &str) -> Result<(&'a str, &'a str, [u8; 32]), Error> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(invalid(what, "found another form"));
    };
    check_name(name)?;
    let data = STANDARD.decode(data).map_err(|error| invalid(what, error))?;
    let bytes = match data.split_first() {
        Some((&ED25519, bytes)) => bytes.try_into().map_err(|_| invalid(what, "its length is wrong"))?,
        _ => return Err(invalid(what, "found a key of another kind than Ed25519")),
    };
    Ok((name, hash, bytes))
}

fn with_kind(bytes: &[u8; 32]) -> String {
    let mut data = vec![ED25519];
    data.extend_from_slice(bytes);
    STANDARD.encode(data)
}

impl PrivateKey {
    /// Makes a new key with a name that tells verifiers whose it is.
    ///
    /// # Errors
    /// `InvalidArgument` when the name is empty, too long, or has white space or a plus in it.
    pub fn generate(name: &str, entropy: &dyn Entropy) -> Result<PrivateKey, Error> {
        check_name(name)?;
        let mut seed = [0; 32];
        entropy.fill(&mut seed);
        Ok(PrivateKey { name: name.to_owned(), key: SigningKey::from_bytes(&seed) })
    }

    /// Reads a key: `PRIVATE+KEY+name+hash+base64`, with or without a line end.
    ///
    /// # Errors
    /// `InvalidArgument` when it is none. The message does not tell the key.
    pub fn parse(text: &str) -> Result<PrivateKey, Error> {
        let what = "a private key (PRIVATE+KEY+name+hash+base64)";
        let text = text.trim_end_matches(['\n', '\r']);
        let rest = text.strip_prefix(PRIVATE).ok_or_else(|| invalid(what, "found another form"))?;
        let (name, hash, seed) = parts(rest, what)?;
        let key = PrivateKey { name: name.to_owned(), key: SigningKey::from_bytes(&seed) };
        if hash != hex_of(key.verifier().hash()) {
            return Err(invalid(what, "its hash does not fit its name and key"));
        }
        Ok(key)
    }

    /// The text of the key, without a line end: a secret.
    pub fn to_secret_text(&self) -> String {
        let hash = hex_of(self.verifier().hash());
        format!("{PRIVATE}{}+{hash}+{}", self.name, with_kind(self.key.as_bytes()))
    }

    /// The key that checks what this one signs.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    pub(super) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.key.sign(text).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.name)
    }
}

impl VerifierKey {
    /// Reads a key: `name+hash+base64`, with or without a line end.
    ///
    /// # Errors
    /// `InvalidArgument` when it is none.
    pub fn parse(text: &str) -> Result<VerifierKey, Error> {
        let what = "a verifier key (name+hash+base64)";
        let (name, hash, bytes) = parts(text.trim_end_matches(['\n', '\r']), what)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|error| invalid(what, error))?;
        let key = VerifierKey { name: name.to_owned(), key };
        if hash != hex_of(key.hash()) {
            return Err(invalid(what, "its hash does not fit its name and key"));
        }
        Ok(key)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn hash(&self) -> [u8; 4] {
        key_hash(&self.name, self.key.as_bytes())
    }

    pub(super) fn is_of(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(text, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex_of(self.hash()), with_kind(self.key.as_bytes()))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SeededEntropy;

    /// The key of the example in the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const GO_PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn keys_are_those_of_go() {
        let key = PrivateKey::parse(GO_PRIVATE).unwrap();
        assert_eq!(key.to_secret_text(), GO_PRIVATE);
        assert_eq!(key.verifier().to_string(), GO_PUBLIC);
        assert_eq!(VerifierKey::parse(&format!("{GO_PUBLIC}\n")).unwrap(), key.verifier());
        assert!(!format!("{key:?}").contains("AYEK"), "no secret in a log");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let made = PrivateKey::generate("auditor", &SeededEntropy::new(1)).unwrap();
        assert_eq!(PrivateKey::parse(&made.to_secret_text()).unwrap().verifier(), made.verifier());
        for name in ["", "a b", "a+b", "a\nb"] {
            assert!(PrivateKey::generate(name, &SeededEntropy::new(1)).is_err(), "{name:?}");
        }
        for bad in [
            "",
            "PeterNeumann",
            "PeterNeumann+c74f20a3",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+AhpcO2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+ARpc",
            GO_PRIVATE,
        ] {
            assert!(VerifierKey::parse(bad).is_err(), "{bad:?}");
            assert!(PrivateKey::parse(&format!("{PRIVATE}{bad}")).is_err(), "{bad:?}");
        }
        assert!(PrivateKey::parse(GO_PUBLIC).is_err());
    }
}

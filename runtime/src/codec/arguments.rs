//! Arguments one after the other, each under its name so that a message can say which one failed.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::advice;
use super::deserializer::take_from_bytes;
use super::serializer::Watch;
use crate::bounds::JobArgument;

/// How arguments become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// Small and fast; carries no types that describe themselves while they decode.
    #[default]
    Postcard,
    /// For those types.
    Json,
}

/// Collects the arguments of one run.
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    bytes: Vec<u8>,
    failed: Option<String>,
}

impl Encoder {
    /// No arguments yet.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            bytes: Vec::new(),
            failed: None,
        }
    }

    /// Appends an argument. After a failure the rest is ignored; [`Encoder::finish`] tells.
    pub fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if self.failed.is_some() {
            return;
        }
        let watch = Watch::default();
        let pushed = match self.codec {
            Codec::Postcard => self.push_postcard(&watch.value(value)),
            Codec::Json => self.push_json(&watch.value(value)),
        };
        self.failed = pushed.err().map(|error| match watch.refused() {
            Some(reason) => format!("`{name}`: {reason}"),
            None => format!("`{name}`: {error}{}", advice(self.codec)),
        });
    }

    fn push_postcard<T: Serialize>(&mut self, value: &T) -> Result<(), String> {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(value, bytes).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// The arguments become one array.
    fn push_json<T: Serialize>(&mut self, value: &T) -> Result<(), String> {
        self.bytes
            .push(if self.bytes.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.bytes, value).map_err(|error| error.to_string())
    }

    /// The bytes of all arguments, or which one could not be encoded.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, String> {
        if let Some(reason) = self.failed {
            return Err(reason);
        }
        if self.codec == Codec::Json && !self.bytes.is_empty() {
            self.bytes.push(b']');
        }
        Ok(self.bytes)
    }
}

/// Apart from `next`, which is compiled for each type. A value without a form in JSON, such as a map whose keys are
/// structs, is left to the imagination.
fn add_shown(shown: &mut String, name: &str, value: Option<&str>) {
    if !shown.is_empty() {
        shown.push_str(", ");
    }
    shown.push_str(name);
    shown.push_str(": ");
    shown.push_str(value.unwrap_or("(cannot be shown)"));
}

/// Reads the arguments of one run, in order.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: Rest<'a>,
    /// What was read, for people, if somebody asks.
    shown: Option<String>,
}

#[derive(Debug)]
enum Rest<'a> {
    Postcard(&'a [u8]),
    Json(std::vec::IntoIter<&'a RawValue>),
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(codec: Codec, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let rest = match codec {
            Codec::Postcard => Rest::Postcard(bytes),
            Codec::Json if bytes.is_empty() => Rest::Json(Vec::new().into_iter()),
            Codec::Json => {
                let values: Vec<&RawValue> = serde_json::from_slice(bytes)
                    .map_err(|error| DecodeError::new(format!("no JSON array: {error}")))?;
                Rest::Json(values.into_iter())
            }
        };
        Ok(Self { rest, shown: None })
    }

    /// All arguments of a run, with nothing left over.
    pub(crate) fn all<T>(
        codec: Codec,
        bytes: &[u8],
        decode: fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut decoder = Decoder::new(codec, bytes)?;
        let arguments = decode(&mut decoder)?;
        decoder.finish()?;
        Ok(arguments)
    }

    /// All arguments of a run as people read them: `user_id: 42, template: "welcome"`.
    pub(crate) fn show(
        codec: Codec,
        bytes: &[u8],
        read: fn(&mut Decoder<'_>) -> Result<(), DecodeError>,
    ) -> Result<String, DecodeError> {
        let mut decoder = Decoder::new(codec, bytes)?;
        decoder.shown = Some(String::new());
        read(&mut decoder)?;
        let shown = decoder.shown.take().unwrap_or_default();
        decoder.finish()?;
        Ok(shown)
    }

    /// The next argument.
    ///
    /// # Errors
    /// If the bytes are no `T`.
    pub fn next<T: JobArgument>(&mut self, name: &'static str) -> Result<T, DecodeError> {
        let value = self.take(name)?;
        if let Some(shown) = &mut self.shown {
            add_shown(shown, name, serde_json::to_string(&value).ok().as_deref());
        }
        Ok(value)
    }

    /// The next value, which need not be an argument.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, DecodeError> {
        let taken = match &mut self.rest {
            Rest::Postcard(bytes) => take_from_bytes(bytes)
                .map(|(value, rest)| {
                    *bytes = rest;
                    value
                })
                .map_err(|error| error.to_string()),
            Rest::Json(values) => match values.next() {
                Some(value) => serde_json::from_str(value.get()).map_err(|error| error.to_string()),
                None => Err("it is missing".to_owned()),
            },
        };
        taken.map_err(|reason| {
            let wanted = std::any::type_name::<T>();
            DecodeError::new(format!("`{name}` does not decode as `{wanted}`: {reason}"))
        })
    }

    /// Nothing may be left over: a dropped last field would otherwise go unnoticed.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        let (left, what) = match self.rest {
            Rest::Postcard(bytes) => (bytes.len(), "bytes"),
            Rest::Json(values) => (values.len(), "values"),
        };
        match left {
            0 => Ok(()),
            left => Err(DecodeError::new(format!(
                "{left} {what} are left over after the last argument"
            ))),
        }
    }
}

/// Stored bytes that do not fit this build: what [`OldArgs::decode`](crate::OldArgs::decode) fails with. It says what
/// does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn new(reason: String) -> Self {
        Self(reason)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn encoded(codec: Codec, push: impl FnOnce(&mut Encoder)) -> Vec<u8> {
        let mut encoder = Encoder::new(codec);
        push(&mut encoder);
        encoder.finish().unwrap()
    }

    #[test]
    fn borrowed_arguments_decode_owned() {
        for codec in [Codec::Postcard, Codec::Json] {
            let bytes = encoded(codec, |e| {
                e.push("id", &42_u64);
                e.push("text", "he\"llo");
                e.push("list", &[1_u8, 2][..]);
                e.push("note", &Some("x"));
            });
            let mut decoder = Decoder::new(codec, &bytes).unwrap();
            assert_eq!(decoder.next::<u64>("id").unwrap(), 42);
            assert_eq!(decoder.next::<String>("text").unwrap(), "he\"llo");
            assert_eq!(decoder.next::<Vec<u8>>("list").unwrap(), [1, 2]);
            assert_eq!(
                decoder.next::<Option<String>>("note").unwrap().as_deref(),
                Some("x")
            );
            decoder.finish().unwrap();
        }
    }

    #[test]
    fn no_arguments_are_no_bytes() {
        for codec in [Codec::Postcard, Codec::Json] {
            let bytes = encoded(codec, |_| {});
            assert!(bytes.is_empty());
            Decoder::new(codec, &bytes).unwrap().finish().unwrap();
        }
    }

    #[test]
    fn leftovers_and_shortage_are_errors() {
        for (codec, left) in [(Codec::Postcard, "6 bytes"), (Codec::Json, "1 values")] {
            let bytes = encoded(codec, |e| e.push("text", "hello"));
            let error = Decoder::new(codec, &bytes).unwrap().finish().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{left} are left over after the last argument")
            );
            let mut decoder = Decoder::new(codec, &[]).unwrap();
            let error = decoder.next::<String>("text").unwrap_err();
            assert!(
                error.to_string().starts_with("`text` does not decode as"),
                "{error}"
            );
        }
        assert!(Decoder::new(Codec::Json, b"{}").is_err());
    }

    #[test]
    fn a_type_that_postcard_cannot_carry_is_named() {
        #[derive(Serialize)]
        struct Open {
            #[serde(flatten)]
            rest: BTreeMap<String, u8>,
        }
        let open = Open {
            rest: BTreeMap::new(),
        };
        let mut encoder = Encoder::new(Codec::Postcard);
        encoder.push("open", &open);
        encoder.push("more", &1);
        assert!(encoder.finish().unwrap_err().starts_with("`open`"));
        assert_eq!(encoded(Codec::Json, |e| e.push("open", &open)), b"[{}]");
    }
}

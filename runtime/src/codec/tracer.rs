//! Asks serde what a type looks like inside: the field and variant lists that its `Deserialize` names.
//! Best effort: it sees renamed, swapped, added and removed fields and variants, which postcard would decode
//! silently into the wrong place.

use std::fmt;

use serde::de::value::Error;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::bounds::DEEPEST;
use crate::bounds::JobArgument;

/// Collects a job's argument types as one checksum.
#[derive(Debug)]
pub struct Tracer {
    hasher: crc32fast::Hasher,
}

impl Tracer {
    pub(crate) fn new(tokens: u32) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&tokens.to_le_bytes());
        Self { hasher }
    }

    /// Adds what serde says of `T`. A type that gives up half-way counts with what it had said.
    pub fn argument<T: JobArgument>(&mut self) {
        self.trace::<T>();
    }

    /// The same, for a type that need not be an argument.
    pub(crate) fn trace<T: DeserializeOwned>(&mut self) {
        let mut path = Vec::new();
        let _ = T::deserialize(Probe {
            tracer: self,
            path: &mut path,
            depth: 0,
        });
    }

    pub(crate) fn finish(self) -> u32 {
        self.hasher.finalize()
    }

    fn say(&mut self, word: &str) {
        // The separator keeps `ab c` and `a bc` apart.
        self.hasher.update(word.as_bytes());
        self.hasher.update(&[0]);
    }
}

/// Answers every question of a `Deserialize` with a value that goes on asking.
struct Probe<'t> {
    tracer: &'t mut Tracer,
    /// The named types we are inside of, so that a recursive type ends.
    path: &'t mut Vec<&'static str>,
    /// How many options, sequences, maps and tuples we are inside of, which have no names.
    depth: u8,
}

impl Probe<'_> {
    fn enter(&mut self, kind: &str, name: &'static str, parts: &[&str]) -> Result<(), Error> {
        self.tracer.say(kind);
        self.tracer.say(name);
        for part in parts {
            self.tracer.say(part);
        }
        if self.path.contains(&name) {
            return Err(Error::custom("recursive type"));
        }
        self.path.push(name);
        Ok(())
    }

    fn scalar(self, kind: &str) -> Self {
        self.tracer.say(kind);
        self
    }

    /// Into something without a name. A type can be recursive through these alone, if it is `transparent`.
    fn unnamed(self, kind: &str) -> Result<Self, Error> {
        self.tracer.say(kind);
        if self.depth == DEEPEST {
            return Err(Error::custom("recursive type"));
        }
        let depth = self.depth + 1;
        Ok(Self { depth, ..self })
    }

    fn again(&mut self) -> Probe<'_> {
        Probe {
            tracer: self.tracer,
            path: self.path,
            depth: self.depth,
        }
    }
}

macro_rules! scalars {
    ($($method:ident => $kind:literal, $visit:ident($($value:expr)?);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.scalar($kind);
            visitor.$visit($($value)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    scalars! {
        deserialize_bool => "bool", visit_bool(false);
        deserialize_i8 => "i8", visit_i8(0);
        deserialize_i16 => "i16", visit_i16(0);
        deserialize_i32 => "i32", visit_i32(0);
        deserialize_i64 => "i64", visit_i64(0);
        deserialize_i128 => "i128", visit_i128(0);
        deserialize_u8 => "u8", visit_u8(1);
        deserialize_u16 => "u16", visit_u16(1);
        deserialize_u32 => "u32", visit_u32(1);
        deserialize_u64 => "u64", visit_u64(1);
        deserialize_u128 => "u128", visit_u128(1);
        deserialize_f32 => "f32", visit_f32(0.0);
        deserialize_f64 => "f64", visit_f64(0.0);
        deserialize_char => "char", visit_char('a');
        deserialize_str => "str", visit_str("");
        deserialize_string => "str", visit_str("");
        deserialize_bytes => "bytes", visit_bytes(&[]);
        deserialize_byte_buf => "bytes", visit_bytes(&[]);
        deserialize_unit => "unit", visit_unit();
        deserialize_identifier => "identifier", visit_u64(0);
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.scalar("any");
        Err(Error::custom(
            "the type describes itself only while it decodes",
        ))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.scalar("ignored");
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self.unnamed("option")?)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.enter("struct", name, &[])?;
        self.path.pop();
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.enter("struct", name, &[])?;
        let value = visitor.visit_newtype_struct(self.again());
        self.path.pop();
        value
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts {
            probe: self.unnamed("seq")?,
            left: 1,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts {
            probe: self.unnamed("tuple")?,
            left: len,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.enter("struct", name, &[])?;
        let value = visitor.visit_seq(Parts {
            probe: self.again(),
            left: len,
        });
        self.path.pop();
        value
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Parts {
            probe: self.unnamed("map")?,
            left: 1,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.enter("struct", name, fields)?;
        let value = visitor.visit_seq(Parts {
            probe: self.again(),
            left: fields.len(),
        });
        self.path.pop();
        value
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.enter("enum", name, variants)?;
        let value = visitor.visit_enum(self.again());
        self.path.pop();
        value
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of a sequence, a tuple, a map or a struct.
struct Parts<'t> {
    probe: Probe<'t>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.probe.again()).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.probe.again())
    }
}

/// The first variant of an enum stands for all: their names were said already.
impl<'de> EnumAccess<'de> for Probe<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let variant = seed.deserialize(serde::de::value::U32Deserializer::new(0))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Probe<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        for field in fields {
            self.tracer.say(field);
        }
        self.deserialize_tuple(fields.len(), visitor)
    }
}

/// What the deserializer for `T` says, for messages in tests.
impl fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    fn signature<T: JobArgument>() -> u32 {
        let mut tracer = Tracer::new(0);
        tracer.argument::<T>();
        tracer.finish()
    }

    /// Two shapes under one name, as two builds would have them.
    macro_rules! shape {
        ($item:item) => {{
            #[allow(dead_code)]
            #[derive(Serialize, Deserialize)]
            $item
            signature::<Shape>()
        }};
    }

    #[test]
    fn a_swap_an_insertion_and_a_changed_type_are_seen() {
        let first = shape!(
            struct Shape {
                from: u64,
                to: u64,
            }
        );
        assert_eq!(
            first,
            shape!(
                struct Shape {
                    from: u64,
                    to: u64,
                }
            )
        );
        assert_ne!(
            first,
            shape!(
                struct Shape {
                    to: u64,
                    from: u64,
                }
            )
        );
        assert_ne!(
            first,
            shape!(
                struct Shape {
                    from: u64,
                    to: i64,
                }
            )
        );
        assert_ne!(
            first,
            shape!(
                struct Shape {
                    from: u64,
                    via: u64,
                    to: u64,
                }
            )
        );

        let first = shape!(
            enum Shape {
                Small,
                Large,
            }
        );
        assert_ne!(
            first,
            shape!(
                enum Shape {
                    Small,
                    Medium,
                    Large,
                }
            )
        );
        assert_ne!(
            first,
            shape!(
                enum Shape {
                    Large,
                    Small,
                }
            )
        );
    }

    #[test]
    fn changes_deep_inside_are_seen() {
        #[derive(Serialize, Deserialize)]
        #[allow(dead_code)]
        struct Inner<T> {
            value: T,
        }
        assert_ne!(
            signature::<Vec<Option<Inner<u8>>>>(),
            signature::<Vec<Option<Inner<i8>>>>()
        );
        assert_ne!(
            signature::<std::collections::BTreeMap<String, Inner<u8>>>(),
            signature::<std::collections::BTreeMap<String, Inner<i8>>>()
        );
    }

    #[test]
    fn recursive_types_and_self_describing_types_end() {
        #[derive(Serialize, Deserialize)]
        #[allow(dead_code)]
        struct Node {
            children: Vec<Node>,
            next: Option<Box<Node>>,
        }
        signature::<Node>();
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Chain {
            next: Option<Box<Chain>>,
        }
        signature::<Chain>();
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Twice((Vec<Twice>, std::collections::BTreeMap<u8, Twice>));
        signature::<Twice>();
        #[derive(Serialize, Deserialize)]
        #[serde(untagged)]
        #[allow(dead_code)]
        enum Any {
            Number(u8),
        }
        signature::<Any>();
    }
}

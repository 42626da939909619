//! Bytes that strangers wrote: whatever they are, they decode or are refused, and cost neither the stack nor memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use proptest::prelude::*;
use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::bounds::{DEEPEST, MOST_EMPTY};
use super::{Codec, DecodeError, Decoder, Encoder, Envelope, open, seal};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(Box<Tree>),
    Pair(Box<Tree>, Box<Tree>),
    Named { inner: Vec<Tree>, tag: Option<u8> },
}

/// A chain without a name that serde would tell: recursive through its option alone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Mixed {
    id: u64,
    small: i8,
    wide: i128,
    share: f32,
    letter: char,
    text: String,
    yes: bool,
    bytes: Vec<u8>,
    map: BTreeMap<String, Vec<Option<i16>>>,
    pair: (u16, [u32; 2]),
    nothing: (),
    tree: Tree,
}

/// Makes room for as many as it is told will come, without a thought.
#[derive(Debug)]
struct Trusting(usize);

impl<'de> Deserialize<'de> for Trusting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Room;

        impl<'de> Visitor<'de> for Room {
            type Value = Trusting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Trusting, A::Error> {
                let mut all = Vec::<u64>::with_capacity(seq.size_hint().unwrap_or(0));
                let room = all.capacity();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Trusting(room))
            }
        }
        deserializer.deserialize_seq(Room)
    }
}

fn encode<T: Serialize>(codec: Codec, value: &T) -> Result<Vec<u8>, String> {
    let mut encoder = Encoder::new(codec);
    encoder.push("value", value);
    encoder.finish()
}

fn decode<T: DeserializeOwned>(codec: Codec, bytes: &[u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(codec, bytes)?;
    let value = decoder.take("value")?;
    decoder.finish()?;
    Ok(value)
}

/// On a stack that a thread of a runtime has at least.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    thread.spawn(work).unwrap().join().unwrap()
}

fn refused<T: DeserializeOwned + fmt::Debug>(codec: Codec, bytes: &[u8]) -> String {
    decode::<T>(codec, bytes).unwrap_err().to_string()
}

/// A trunk of so many nodes.
fn trunk(nodes: usize) -> Tree {
    (0..nodes).fold(Tree::Leaf, |tree, _| Tree::Node(Box::new(tree)))
}

#[test]
fn bytes_that_nest_without_end_are_refused() {
    on_a_small_stack(|| {
        let ones = vec![1; 1024 * 1024];
        for error in [
            refused::<Tree>(Codec::Postcard, &ones),
            refused::<Chain>(Codec::Postcard, &ones),
            refused::<Tree>(Codec::Postcard, &[2; 1000]),
            // One inner tree, again and again.
            refused::<Tree>(Codec::Postcard, &[3, 1].repeat(1000)),
        ] {
            assert!(error.contains("nested more than"), "{error}");
        }
        let json = format!("[{}", r#"{"Node":"#.repeat(100_000));
        assert!(decode::<Tree>(Codec::Json, json.as_bytes()).is_err());
        let json = format!("[{}0{}]", "[".repeat(100_000), "]".repeat(100_000));
        let error = refused::<serde_json::Value>(Codec::Json, json.as_bytes());
        assert!(error.contains("recursion limit"), "{error}");
    });
}

#[test]
fn what_is_nested_too_deep_to_be_read_is_not_stored() {
    let deepest = usize::from(DEEPEST);
    for codec in [Codec::Postcard, Codec::Json] {
        on_a_small_stack(move || {
            let tree = trunk(deepest);
            let bytes = encode(codec, &tree).unwrap();
            assert_eq!(decode::<Tree>(codec, &bytes).unwrap(), tree);
            let error = encode(codec, &trunk(deepest + 1)).unwrap_err();
            assert!(
                error.starts_with("`value`: it is nested more than 100 levels deep"),
                "{error}"
            );
            assert!(!error.contains("codec"), "{error}");
            // Far beyond what the stack would bear; the destructor would not bear it either.
            let endless = std::mem::ManuallyDrop::new(trunk(1_000_000));
            assert!(encode(codec, &*endless).is_err());
        });
    }
}

/// Each way in which a value can be inside of another counts the same when it is written and when it is read.
#[test]
fn every_kind_of_level_is_read_as_deep_as_it_is_written() {
    fn check<T: Serialize + DeserializeOwned>(what: &str, grow: impl Fn(Option<T>) -> T) {
        for codec in [Codec::Postcard, Codec::Json] {
            let mut value = grow(None);
            let mut levels = 0;
            while let Ok(bytes) = encode(codec, &value) {
                let read = decode::<T>(codec, &bytes).map_err(|error| error.to_string());
                assert_eq!(read.err(), None, "{what}, {levels} levels, {codec:?}");
                value = grow(Some(value));
                levels += 1;
            }
            let most = usize::from(DEEPEST);
            assert!((most / 4..=most + 1).contains(&levels), "{what}: {levels}");
        }
    }
    #[derive(Serialize, Deserialize)]
    struct Newtype(Option<Box<Newtype>>);
    #[derive(Serialize, Deserialize)]
    struct Plain {
        inner: Option<Box<Plain>>,
    }
    #[derive(Serialize, Deserialize)]
    struct Pair(u8, Option<Box<Pair>>);
    #[derive(Serialize, Deserialize)]
    struct Map(HashMap<u8, Map>);
    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct List(Vec<(u8, List)>);

    check("newtype", |inner| Newtype(inner.map(Box::new)));
    check("struct", |inner| Plain {
        inner: inner.map(Box::new),
    });
    check("tuple struct", |inner| Pair(7, inner.map(Box::new)));
    check("map", |inner| {
        Map(inner.map(|map| (7, map)).into_iter().collect())
    });
    check("transparent", |inner| {
        List(inner.map(|list| (7, list)).into_iter().collect())
    });
    check("chain", |next| Chain {
        next: next.map(Box::new),
    });
    check("newtype variant", |inner| match inner {
        Some(inner) => Tree::Node(Box::new(inner)),
        None => Tree::Leaf,
    });
    check("tuple variant", |inner| match inner {
        Some(inner) => Tree::Pair(Box::new(Tree::Leaf), Box::new(inner)),
        None => Tree::Leaf,
    });
    check("struct variant", |inner| match inner {
        Some(inner) => Tree::Named {
            inner: vec![inner],
            tag: Some(7),
        },
        None => Tree::Leaf,
    });
}

/// A length of 2^60, and three bytes.
const HUGE: &[u8] = &[
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 2, 3,
];

#[test]
fn a_length_that_the_bytes_cannot_hold_makes_no_room() {
    for error in [
        refused::<Vec<u64>>(Codec::Postcard, HUGE),
        refused::<String>(Codec::Postcard, HUGE),
        refused::<HashMap<u64, String>>(Codec::Postcard, HUGE),
        refused::<Vec<[u64; 32]>>(Codec::Postcard, HUGE),
        refused::<Trusting>(Codec::Postcard, HUGE),
    ] {
        assert!(error.starts_with("`value` does not decode as"), "{error}");
    }
    let right = decode::<Trusting>(Codec::Postcard, &[3, 1, 2, 3]).unwrap();
    assert!((3..100).contains(&right.0), "{right:?}");
}

#[test]
fn elements_that_take_no_byte_are_counted() {
    for error in [
        refused::<Vec<()>>(Codec::Postcard, &HUGE[..9]),
        refused::<Vec<((), [(); 2])>>(Codec::Postcard, &HUGE[..9]),
        refused::<HashMap<(), ()>>(Codec::Postcard, &HUGE[..9]),
        refused::<Vec<Vec<()>>>(
            Codec::Postcard,
            &[&[40], &[0xff, 0x7f].repeat(40)[..]].concat(),
        ),
    ] {
        assert!(error.contains("elements without content"), "{error}");
    }
    let most = usize::try_from(MOST_EMPTY).unwrap();
    let bytes = encode(Codec::Postcard, &vec![(); most]).unwrap();
    assert_eq!(
        decode::<Vec<()>>(Codec::Postcard, &bytes).unwrap().len(),
        most
    );
    let error = encode(Codec::Postcard, &vec![(); most + 1]).unwrap_err();
    assert!(error.contains("100000 elements without content"), "{error}");
    // Parts of the elements are none.
    let many = vec![(1_u8, ()); most + 1];
    let bytes = encode(Codec::Postcard, &many).unwrap();
    assert_eq!(
        decode::<Vec<(u8, ())>>(Codec::Postcard, &bytes).unwrap(),
        many
    );
}

fn tree() -> impl Strategy<Value = Tree> {
    Just(Tree::Leaf).prop_recursive(4, 16, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Tree::Node),
            (boxed.clone(), boxed).prop_map(|(one, two)| Tree::Pair(one, two)),
            (prop::collection::vec(inner, 0..3), any::<Option<u8>>())
                .prop_map(|(inner, tag)| Tree::Named { inner, tag }),
        ]
    })
}

fn mixed() -> impl Strategy<Value = Mixed> {
    let plain = (any::<u64>(), any::<i8>(), any::<i128>(), -1e9..1e9_f32);
    let texts = (any::<char>(), ".{0,9}", any::<bool>(), any::<[u8; 5]>());
    let map = prop::collection::btree_map("[a-z]{0,3}", any::<[Option<i16>; 2]>(), 0..3);
    (plain, texts, map, any::<(u16, [u32; 2])>(), tree()).prop_map(
        |((id, small, wide, share), (letter, text, yes, bytes), map, pair, tree)| Mixed {
            id,
            small,
            wide,
            share,
            letter,
            text,
            yes,
            bytes: bytes.to_vec(),
            map: map
                .into_iter()
                .map(|(key, value)| (key, value.to_vec()))
                .collect(),
            pair,
            nothing: (),
            tree,
        },
    )
}

/// What a stranger does to bytes that were right.
#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let huge = || {
        prop_oneof![
            Just(HUGE.to_vec()),
            prop::collection::vec(any::<u8>(), 1..12)
        ]
    };
    prop_oneof![
        (at(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        at().prop_map(Damage::Cut),
        (at(), huge()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        huge().prop_map(Damage::Append),
    ]
}

fn damaged(bytes: &[u8], damage: &Damage) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = |at: &prop::sample::Index| at.index(bytes.len() + 1);
    match damage {
        Damage::Flip(index, bits) if !bytes.is_empty() => {
            let at = index.index(bytes.len());
            bytes[at] ^= bits;
        }
        Damage::Flip(..) => {}
        Damage::Cut(index) => bytes.truncate(at(index)),
        Damage::Insert(index, more) => {
            let at = at(index);
            bytes.splice(at..at, more.iter().copied());
        }
        Damage::Append(more) => bytes.extend(more),
    }
    bytes
}

/// Decodes these bytes as many types: none may panic, and each that decodes is read as postcard reads it.
fn read_as_everything(bytes: &[u8]) {
    fn read<T: DeserializeOwned + PartialEq + fmt::Debug>(bytes: &[u8]) {
        let ours = super::take_from_bytes::<T>(bytes).ok();
        let theirs = postcard::take_from_bytes::<T>(bytes).ok();
        // A NaN is not equal to itself.
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{bytes:?}");
        let _ = decode::<T>(Codec::Json, bytes);
    }
    read::<Mixed>(bytes);
    read::<Tree>(bytes);
    read::<(bool, f64, Option<char>, String)>(bytes);
    read::<Vec<HashMap<String, Vec<i32>>>>(bytes);
    read::<Vec<(u128, i64, Option<Option<u8>>)>>(bytes);
    // These postcard itself would count without end.
    let _ = decode::<Vec<Vec<()>>>(Codec::Postcard, bytes);
    let _ = decode::<serde_json::Value>(Codec::Json, bytes);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = open(&bytes);
        read_as_everything(&bytes);
    }

    #[test]
    fn what_was_written_is_read_as_postcard_would_read_it(value in mixed()) {
        let bytes = encode(Codec::Postcard, &value).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_allocvec(&value).unwrap());
        prop_assert_eq!(&decode::<Mixed>(Codec::Postcard, &bytes).unwrap(), &value);
        let json = encode(Codec::Json, &value).unwrap();
        let theirs = format!("[{}]", serde_json::to_string(&value).unwrap());
        prop_assert_eq!(&json, theirs.as_bytes());
        prop_assert_eq!(decode::<Mixed>(Codec::Json, &json).unwrap(), value);
    }

    #[test]
    fn damaged_arguments_are_read_or_refused(value in mixed(), damage in damage()) {
        let bytes = encode(Codec::Postcard, &value).unwrap();
        read_as_everything(&damaged(&bytes, &damage));
        let json = encode(Codec::Json, &value).unwrap();
        let _ = decode::<Mixed>(Codec::Json, &damaged(&json, &damage));
    }

    /// The checksum covers the arguments; what it does not cover is compared with what this build knows.
    #[test]
    fn a_damaged_envelope_never_gives_other_arguments(
        arguments in prop::collection::vec(any::<u8>(), 0..50),
        damage in damage(),
    ) {
        let envelope = Envelope { codec: Codec::Postcard, version: 3, signature: 0xdead_beef };
        let sealed = seal(envelope, &arguments).unwrap();
        if let Ok((_, read)) = open(&damaged(&sealed, &damage)) {
            prop_assert_eq!(read, &arguments[..]);
        }
    }
}

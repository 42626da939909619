//! Names of time zones, and the nearest known name for one that is misspelt.

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::text::quote;

/// No known name is nearly this long, and the comparison takes time in proportion to the length.
const LONGEST_COMPARED: usize = 64;

/// A name that is no time zone.
///
/// ```
/// use afterhours_schedule::parse_timezone;
///
/// let error = parse_timezone("Europe/Pariss").unwrap_err();
/// assert_eq!(error.to_string(), "unknown time zone `Europe/Pariss`; did you mean `Europe/Paris`?");
/// assert_eq!(error.suggestion(), Some("Europe/Paris"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {}{}", quote(.name), advice(*.suggestion))]
pub struct TimezoneError {
    name: String,
    suggestion: Option<&'static str>,
}

impl TimezoneError {
    /// The known name that comes nearest, when one comes near.
    ///
    /// ```
    /// use afterhours_schedule::parse_timezone;
    ///
    /// assert_eq!(parse_timezone("paris").unwrap_err().suggestion(), Some("Europe/Paris"));
    /// assert_eq!(parse_timezone("+02:00").unwrap_err().suggestion(), None);
    /// ```
    #[must_use]
    pub fn suggestion(&self) -> Option<&'static str> {
        self.suggestion
    }
}

/// Reads the IANA name of a time zone, such as `UTC` or `Europe/Paris`.
///
/// ```
/// use afterhours_schedule::{chrono_tz::Tz, parse_timezone};
///
/// assert_eq!(parse_timezone("Europe/Paris"), Ok(Tz::Europe__Paris));
/// ```
///
/// # Errors
///
/// When no time zone has that name; the error knows the nearest one.
pub fn parse_timezone(name: &str) -> Result<Tz, TimezoneError> {
    name.parse().map_err(|_| TimezoneError {
        name: name.to_owned(),
        suggestion: nearest(name),
    })
}

/// Which part of a known name was compared, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Compared {
    Name,
    City,
}

fn advice(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(known) => format!("; did you mean `{known}`?"),
        None => ": write an IANA name such as `UTC` or `Europe/Paris`".to_owned(),
    }
}

/// The known name with the fewest typing mistakes between it and `name`, if there are few enough.
fn nearest(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST_COMPARED {
        return None;
    }
    let wanted = name.to_ascii_lowercase();
    // One mistake in four characters: `PST` must not become `EST`, but `Pariss` must become `Paris`.
    let allowed = wanted.chars().count() / 4;
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    let near = names.map(|known| (mistakes(&wanted, known), known));
    let near = near.filter(|((mistakes, _), _)| *mistakes <= allowed);
    near.min_by_key(|(order, _)| *order).map(|(_, known)| known)
}

/// Mistakes in `wanted` (lower case) against the full name, or else its city alone, which counts for less.
fn mistakes(wanted: &str, known: &str) -> (usize, Compared) {
    // People write `New York`.
    let wanted = wanted.replace('_', " ");
    let known = known.to_ascii_lowercase().replace('_', " ");
    let full = (distance(&wanted, &known), Compared::Name);
    match known.rsplit_once('/') {
        Some((_, city)) => full.min((distance(&wanted, city), Compared::City)),
        None => full,
    }
}

/// The least number of characters to insert, delete or replace to turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

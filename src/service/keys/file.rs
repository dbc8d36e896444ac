//! The keys file: TOML with one `[[key]]` table for each key, and of a key's secret only the hash.

use std::collections::HashSet;
use std::fmt::Write;
use std::str::FromStr;

use serde::Deserialize;

use super::bucket::Quota;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Evaluating losses.
    Evaluate,
    /// Reading the metrics.
    Metrics,
    /// Administration, of which there is none yet.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 3] = [Scope::Evaluate, Scope::Metrics, Scope::Admin];

    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Evaluate => "evaluate",
            Scope::Metrics => "metrics",
            Scope::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Scope, String> {
        let scope = Scope::ALL.into_iter().find(|scope| scope.name() == text);
        scope.ok_or_else(|| format!("must be one of {}", Scope::ALL.map(Scope::name).join(", ")))
    }
}

/// One key as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What people call it.
    pub name: String,
    /// What the key itself calls it.
    pub id: String,
    /// The SHA-256 of the secret, in hexadecimal digits.
    pub sha256: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Cost units per second; none for no limit.
    pub rate: Option<f64>,
    /// Cost units at once; none for twice the rate.
    pub burst: Option<f64>,
    /// The largest share of the jobs; none for all of them.
    pub share: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    #[serde(default)]
    key: Vec<Table>,
}

/// A key that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What people call it.
    pub name: String,
    /// What the key itself calls it.
    pub id: String,
    /// The SHA-256 of the secret.
    pub hash: [u8; 32],
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// How much it may cost.
    pub quota: Option<Quota>,
    /// The largest share of the jobs.
    pub share: f64,
}

/// Reads the text of a keys file.
///
/// # Errors
/// A sentence that names the key that is wrong, or the line. It never quotes the file, where a
/// secret may stand by mistake.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let tables: Tables = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("line {line}: {}", unquoted(error.message()))
    })?;
    let mut entries: Vec<Entry> = Vec::with_capacity(tables.key.len());
    let (mut names, mut ids) = (HashSet::new(), HashSet::new());
    for (place, table) in tables.key.into_iter().enumerate() {
        if !is_name(&table.name) {
            return Err(format!(
                "key number {}: name must be 1 to 64 letters, digits, dots, hyphens or underscores",
                place + 1
            ));
        }
        let name = table.name.clone();
        let entry = table.check().map_err(|error| format!("key `{name}`: {error}"))?;
        if !names.insert(name.clone()) {
            return Err(format!("key `{name}`: another key has this name"));
        }
        if !ids.insert(entry.id.clone()) {
            return Err(format!("key `{name}`: another key has this id"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// A message of the parser without the strings of the file that it quotes.
fn unquoted(message: &str) -> String {
    match message.split_once("string \"") {
        Some((before, after)) => {
            let rest = after.rsplit_once('"').map_or("", |(_, rest)| rest);
            format!("{before}a string{rest}")
        }
        None => message.lines().next().unwrap_or_default().to_owned(),
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

impl Table {
    fn check(self) -> Result<Entry, String> {
        let is_id = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
        if self.id.len() != 8 || !self.id.bytes().all(is_id) {
            return Err("id must be 8 lower-case letters or digits".to_owned());
        }
        let hash = from_hex(&self.sha256).ok_or("sha256 must be 64 hexadecimal digits")?;
        if self.scopes.is_empty() {
            return Err("scopes must name at least one scope".to_owned());
        }
        for (name, value) in [("rate", self.rate), ("burst", self.burst)] {
            if value.is_some_and(|value| !(value.is_finite() && 0.0 < value)) {
                return Err(format!("{name} must be a number above 0"));
            }
        }
        let quota = match (self.rate, self.burst) {
            (None, None) => None,
            (None, Some(_)) => return Err("burst needs a rate".to_owned()),
            (Some(rate), burst) => Some(Quota { rate, burst: burst.unwrap_or(rate * 2.0) }),
        };
        let share = self.share.unwrap_or(1.0);
        if !(0.0 < share && share <= 1.0) {
            return Err("share must be above 0 and at most 1".to_owned());
        }
        Ok(Entry { name: self.name, id: self.id, hash, scopes: self.scopes, quota, share })
    }

    /// The table as it stands in the file.
    pub fn to_toml(&self) -> String {
        let scopes: Vec<String> = self.scopes.iter().map(|s| format!("{:?}", s.name())).collect();
        let mut text = format!(
            "[[key]]\nname = {:?}\nid = {:?}\nsha256 = {:?}\nscopes = [{}]\n",
            self.name,
            self.id,
            self.sha256,
            scopes.join(", ")
        );
        for (name, value) in [("rate", self.rate), ("burst", self.burst), ("share", self.share)] {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{name} = {value:?}");
            }
        }
        text
    }
}

/// Bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            name: "team-a".to_owned(),
            id: "0a1b2c3d".to_owned(),
            sha256: "5f".repeat(32),
            scopes: vec![Scope::Evaluate, Scope::Metrics],
            ..Table::default()
        }
    }

    #[test]
    fn a_table_reads_back_as_it_was_written() {
        let full = Table { rate: Some(1e6), burst: Some(5e16), share: Some(0.25), ..table() };
        let entries = parse(&full.to_toml()).unwrap();
        assert_eq!(entries, [full.clone().check().unwrap()]);
        assert_eq!(entries[0].hash, [0x5f; 32]);
        assert_eq!(entries[0].quota, Some(Quota { rate: 1e6, burst: 5e16 }));
        let plain = parse(&table().to_toml()).unwrap().remove(0);
        assert_eq!((plain.quota, plain.share), (None, 1.0));
        let rated = parse(&format!("{}rate = 5\n", table().to_toml())).unwrap().remove(0);
        assert_eq!(rated.quota, Some(Quota { rate: 5.0, burst: 10.0 }));
        assert_eq!(parse("# nobody\n"), Ok(Vec::new()));
    }

    #[test]
    fn every_wrong_file_gets_its_sentence() {
        let with = |change: fn(&mut Table)| {
            let mut table = table();
            change(&mut table);
            table.to_toml()
        };
        let text = table().to_toml();
        let other = with(|table| table.name = "other".to_owned());
        let again = with(|table| table.id = "ffffffff".to_owned());
        for (file, expected) in [
            (with(|t| t.name.clear()), "key number 1: name must be"),
            (with(|t| t.name = "a b".to_owned()), "key number 1: name must be"),
            (with(|t| t.id = "0A1b2c3d".to_owned()), "key `team-a`: id must be 8"),
            (with(|t| t.sha256.truncate(63)), "key `team-a`: sha256 must be 64"),
            (with(|t| t.sha256 = "ü".repeat(32)), "key `team-a`: sha256 must be 64"),
            (with(|t| t.scopes.clear()), "key `team-a`: scopes must name"),
            (with(|t| t.rate = Some(0.0)), "key `team-a`: rate must be"),
            (with(|t| t.rate = Some(-1.0)), "key `team-a`: rate must be"),
            (format!("{text}rate = nan\n"), "key `team-a`: rate must be"),
            (format!("{text}rate = 1\nburst = inf\n"), "key `team-a`: burst must be"),
            (with(|t| t.burst = Some(1.0)), "key `team-a`: burst needs a rate"),
            (with(|t| t.share = Some(0.0)), "key `team-a`: share must be"),
            (with(|t| t.share = Some(1.5)), "key `team-a`: share must be"),
            (format!("{text}{again}"), "key `team-a`: another key has this name"),
            (format!("{text}{other}"), "key `other`: another key has this id"),
            (format!("{text}colour = 1\n"), "line 6: unknown field `colour`"),
            (text.replace("[[key]]", "[[keys]]"), "line 1: unknown field `keys`"),
            (text.replace("evaluate", "everything"), "line 5: unknown variant `everything`"),
            (text.replace("id = ", "# "), "missing field `id`"),
            ("key = 1".to_owned(), "line 1: invalid type"),
            ("[[key".to_owned(), "line 1: "),
        ] {
            let error = parse(&file).expect_err(&file);
            assert!(error.contains(expected), "{error}\n{file}");
        }
    }

    #[test]
    fn a_sentence_does_not_quote_the_file() {
        let secret = "lk_0a1b2c3d_5ec4e7";
        for line in ["rate = ", "secret = ", "burst = ["] {
            let error = parse(&format!("{}{line}\"{secret}\"\n", table().to_toml())).unwrap_err();
            assert!(!error.contains("5ec4e7"), "{error}");
        }
        let hash = Table { sha256: secret.to_owned(), ..table() };
        assert!(!parse(&hash.to_toml()).unwrap_err().contains("5ec4e7"));
    }
}

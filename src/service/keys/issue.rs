//! New keys: `lk_<id>_<secret>`, of which the file gets the hash of the secret.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::file::{Table, parse, to_hex};
use super::{PREFIX, hash};

/// A new key.
pub struct Issued {
    /// What its owner gets. It is nowhere else.
    pub key: String,
    /// What the file gets.
    pub table: Table,
}

/// Makes a key with the name, the scopes and the limits of a table.
///
/// # Errors
/// If the table is wrong, or the system has no random bytes.
pub fn issue(wanted: Table) -> Result<Issued, String> {
    let mut random = [0; 36];
    getrandom::fill(&mut random).map_err(|error| format!("no random bytes: {error}"))?;
    let (id, secret) = random.split_at(4);
    let (id, secret) = (to_hex(id), to_hex(secret));
    let key = format!("{PREFIX}{id}_{secret}");
    let table = Table { id, sha256: to_hex(&hash(&secret)), ..wanted };
    parse(&table.to_toml())?;
    Ok(Issued { key, table })
}

/// Appends a table to a keys file, which is made if it is not there.
///
/// # Errors
/// If the file is wrong, or would be with the table, or cannot be written.
pub fn append(path: &Path, table: &Table) -> Result<(), String> {
    let failed = |error| format!("cannot write the keys in {}: {error}", path.display());
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let gap = match before.as_str() {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let addition = format!("{gap}{}", table.to_toml());
    parse(&format!("{before}{addition}"))
        .map_err(|error| format!("the keys in {} are wrong: {error}", path.display()))?;
    let file = OpenOptions::new().append(true).create(true).open(path);
    // In one piece, so that a server that reads along never sees half of it.
    file.and_then(|mut file| file.write_all(addition.as_bytes())).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::file::Scope;
    use super::*;

    fn wanted(name: &str) -> Table {
        Table { name: name.to_owned(), scopes: vec![Scope::Evaluate], ..Table::default() }
    }

    #[test]
    fn a_key_has_256_random_bits_and_its_table_only_their_hash() {
        let (one, other) = (issue(wanted("a")).unwrap(), issue(wanted("a")).unwrap());
        let [prefix, id, secret] = one.key.split('_').collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!((prefix, id.len(), secret.len()), ("lk", 8, 64));
        assert_ne!(one.key, other.key);
        let text = one.table.to_toml();
        assert!(text.contains(id) && !text.contains(secret), "{text}");
        assert_eq!(one.table.sha256, to_hex(&hash(secret)));
        assert!(issue(wanted("two words")).is_err());
        assert!(issue(Table { rate: Some(0.0), ..wanted("a") }).is_err());
    }

    #[test]
    fn tables_are_appended_unless_the_file_would_be_wrong() {
        let path = std::env::temp_dir().join(format!("lossd-issue-{}.toml", std::process::id()));
        let table = |name| issue(wanted(name)).unwrap().table;
        append(&path, &table("a")).unwrap();
        append(&path, &table("b")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(parse(&text).unwrap().len(), 2);
        let error = append(&path, &table("a")).unwrap_err();
        assert!(error.contains("key `a`: another key has this name"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        fs::remove_file(&path).unwrap();
    }
}

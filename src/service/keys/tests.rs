//! Keys from file to admission, with the time handed in.

use std::net::Ipv4Addr;

use super::file::Table;
use super::issue::{Issued, issue};
use super::*;
use crate::numeric::simd::Level;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A store around a file of these keys, which is removed at the end.
struct Opened {
    store: KeyStore,
    metrics: Metrics,
}

impl Opened {
    fn new(name: &str, issued: &[&Issued]) -> Opened {
        let file = format!("lossd-keys-{name}-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(file);
        write(&path, issued);
        let metrics = Metrics::new(Level::Baseline, 10, 1 << 20);
        Opened { store: KeyStore::open(path, 10, &metrics).unwrap(), metrics }
    }

    fn key(&self, presented: &str, scope: Scope) -> Result<Arc<Key>, Refusal> {
        self.store.authenticate(Some(presented), scope, HERE, Instant::now())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.store.path));
    }
}

fn write(path: &PathBuf, issued: &[&Issued]) {
    let text: String = issued.iter().map(|issued| issued.table.to_toml()).collect();
    fs::write(path, text).unwrap();
}

fn issued(name: &str, limits: Table) -> Issued {
    let scopes = vec![Scope::Evaluate];
    issue(Table { name: name.to_owned(), scopes, ..limits }).unwrap()
}

fn plain(name: &str) -> Issued {
    issued(name, Table::default())
}

#[test]
fn only_the_whole_key_is_admitted() {
    let (one, other) = (plain("one"), plain("other"));
    let opened = Opened::new("verify", &[&one, &other]);
    assert_eq!(opened.key(&one.key, Scope::Evaluate).unwrap().name(), "one");
    assert_eq!(opened.key(&other.key, Scope::Evaluate).unwrap().name(), "other");
    let forbidden = opened.key(&one.key, Scope::Metrics).err();
    assert_eq!(forbidden, Some(Refusal::Forbidden(Scope::Metrics)));
    let (id, secret) = one.key.rsplit_once('_').unwrap();
    let (other_id, _) = other.key.rsplit_once('_').unwrap();
    for wrong in [
        String::new(),
        "lk_".to_owned(),
        format!("lk_00000000_{secret}"),
        format!("{other_id}_{secret}"),
        format!("{id}_"),
        format!("{id}_{}", &secret[1..]),
        one.key.to_uppercase(),
        one.key[3..].to_owned(),
    ] {
        let refused = opened.store.verify(&wrong).is_none();
        assert!(refused, "{wrong}");
    }
}

#[test]
fn failures_are_throttled_by_address_and_presenting_nothing_is_none() {
    let key = plain("one");
    let opened = Opened::new("failures", &[&key]);
    let (there, now) = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), Instant::now());
    let ask = |presented, address| {
        opened.store.authenticate(presented, Scope::Evaluate, address, now).err()
    };
    for _ in 0..20 {
        assert_eq!(ask(None, HERE), Some(Refusal::Unauthorized));
    }
    for _ in 0..10 {
        assert_eq!(ask(Some("lk_guess"), HERE), Some(Refusal::Unauthorized));
    }
    for presented in [None, Some("lk_guess"), Some(key.key.as_str())] {
        assert!(matches!(ask(presented, HERE), Some(Refusal::TooManyFailures { .. })));
    }
    assert_eq!(ask(Some(&key.key), there), None);
}

#[test]
fn a_key_holds_no_more_than_its_share_of_the_jobs() {
    let one = issued("one", Table { share: Some(0.2), ..Table::default() });
    let opened = Opened::new("share", &[&one]);
    let key = opened.key(&one.key, Scope::Evaluate).unwrap();
    let admit = |is_job| key.clone().admit(Some(8), 100, is_job, Instant::now());
    let (first, second) = (admit(true).unwrap(), admit(true).unwrap());
    assert_eq!(admit(true).err(), Some(Refusal::OverShare { jobs_max: 2 }));
    assert!(admit(false).is_ok(), "what is no job takes no share");
    drop(first);
    let third = admit(true).unwrap();
    assert!(admit(true).is_err());
    drop((second, third));
    assert_eq!(key.usage.jobs.load(Ordering::Relaxed), 0);
}

#[test]
fn the_cost_is_that_of_the_declared_length_until_it_is_known() {
    let one = issued("one", Table { rate: Some(10.0), burst: Some(100.0), ..Table::default() });
    let opened = Opened::new("cost", &[&one]);
    let key = opened.key(&one.key, Scope::Evaluate).unwrap();
    let now = Instant::now() + Duration::from_mins(1);
    let left = || {
        let quota = key.entry.quota.unwrap();
        key.bucket().tokens(quota, now)
    };
    let admit = |declared| key.clone().admit(declared, 1000, true, now);
    let mut first = admit(Some(200)).unwrap();
    assert_eq!(left(), 50.0);
    first.correct(90, now);
    assert_eq!(left(), 10.0);
    drop(first);
    assert_eq!(key.cost.get(), 90);
    // An unknown length asks for a full bucket, and a refusal takes neither tokens nor a job.
    let wait = Duration::from_secs(9);
    assert_eq!(admit(None).err(), Some(Refusal::OverRate { rate: 10.0, wait }));
    assert_eq!(key.usage.jobs.load(Ordering::Relaxed), 0);
    let mut second = key.clone().admit(None, 1000, true, now + wait).unwrap();
    second.correct(0, now + wait);
    drop(second);
    assert_eq!(key.cost.get(), 90);
    assert_eq!(key.bucket().tokens(key.entry.quota.unwrap(), now + wait), 100.0);
}

#[test]
fn reading_the_file_again_changes_keys_but_not_what_they_used() {
    let limits = Table { rate: Some(1.0), burst: Some(50.0), share: Some(0.1), ..Table::default() };
    let (mut one, gone, new) = (issued("one", limits), plain("gone"), plain("new"));
    let opened = Opened::new("reload", &[&one, &gone]);
    let now = Instant::now();
    let key = opened.key(&one.key, Scope::Evaluate).unwrap();
    let held = key.admit(Some(200), 1000, true, now).unwrap();
    one.table.name = "renamed".to_owned();
    write(&opened.store.path, &[&one, &new]);
    assert_eq!(opened.store.reload(&opened.metrics), Ok(2));
    assert_eq!(opened.key(&gone.key, Scope::Evaluate).err(), Some(Refusal::Unauthorized));
    assert!(opened.key(&new.key, Scope::Evaluate).is_ok());
    let key = opened.key(&one.key, Scope::Evaluate).unwrap();
    assert_eq!(key.name(), "renamed");
    let admit = |is_job| key.clone().admit(Some(200), 1000, is_job, now).err();
    assert!(matches!(admit(true), Some(Refusal::OverShare { jobs_max: 1 })));
    assert!(matches!(admit(false), Some(Refusal::OverRate { .. })));
    drop(held);
    assert!(matches!(admit(true), Some(Refusal::OverRate { .. })));
    fs::write(&opened.store.path, "[[key]]\n").unwrap();
    let error = opened.store.reload(&opened.metrics).unwrap_err();
    assert!(error.contains("lossd-keys-reload") && error.contains("missing field"), "{error}");
    assert!(opened.key(&new.key, Scope::Evaluate).is_ok(), "the old keys stay");
    for name in ["one", "gone", "renamed", "new"] {
        assert!(opened.metrics.text().contains(&format!("requests_total{{key=\"{name}\"}}")));
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let path = PathBuf::from("/nowhere/keys.toml");
    let metrics = Metrics::new(Level::Baseline, 10, 1 << 20);
    let error = KeyStore::open(path, 10, &metrics).err().unwrap();
    assert!(error.contains("/nowhere/keys.toml"), "{error}");
}

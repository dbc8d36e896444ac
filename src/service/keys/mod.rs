//! API keys: who may use the service, for what, and how much of it. The file is read again when it
//! changes; what a key has used up stays used up.

pub mod bucket;
mod failures;
pub mod file;
pub mod issue;

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use super::Service;
use super::metrics::Metrics;
use super::refusal::Refusal;
use super::stamp::Watched;
use bucket::Bucket;
use failures::Failures;
use file::{Entry, Scope, parse};

/// What every key begins with.
const PREFIX: &str = "lk_";

/// A number takes about so many bytes of a body.
const BYTES_PER_NUMBER: usize = 4;

/// The keys of a file.
pub struct KeyStore {
    path: PathBuf,
    jobs_max: usize,
    keys: RwLock<HashMap<String, Arc<Key>>>,
    failures: Failures,
    /// The file as it was read at the start.
    opened: Watched,
}

/// One key.
pub struct Key {
    entry: Entry,
    jobs_max: usize,
    usage: Arc<Usage>,
    requests: IntCounter,
    cost: IntCounter,
}

/// What a key uses: it outlives changes of the file.
struct Usage {
    bucket: Mutex<Bucket>,
    jobs: AtomicUsize,
}

impl KeyStore {
    /// Reads a keys file. `jobs_max` is how many jobs all keys share.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub fn open(path: PathBuf, jobs_max: usize, metrics: &Metrics) -> Result<KeyStore, String> {
        let store = KeyStore {
            jobs_max,
            keys: RwLock::default(),
            failures: Failures::default(),
            opened: Watched::new(vec![path.clone()]),
            path,
        };
        store.reload(metrics)?;
        Ok(store)
    }

    /// Reads the file again, and says how many keys it has.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it. The keys stay as they were.
    pub fn reload(&self, metrics: &Metrics) -> Result<usize, String> {
        let path = self.path.display();
        let text = fs::read_to_string(&self.path)
            .map_err(|error| format!("cannot read the keys in {path}: {error}"))?;
        let entries =
            parse(&text).map_err(|error| format!("the keys in {path} are wrong: {error}"))?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let renewed: HashMap<String, Arc<Key>> = entries
            .into_iter()
            .map(|entry| {
                let usage = keys.get(&entry.id).map(|key| key.usage.clone());
                let key = Key::new(entry, usage, self.jobs_max, metrics);
                (key.entry.id.clone(), Arc::new(key))
            })
            .collect();
        *keys = renewed;
        Ok(keys.len())
    }

    /// The key that a client presents, if it is one and has the scope. None presented is no attempt
    /// at guessing one; everything else that is no key is, and too many from an address are not
    /// looked at.
    ///
    /// # Errors
    /// Why it is not admitted. For a key that is wrong in whatever way it is the same.
    pub fn authenticate(
        &self,
        presented: Option<&str>,
        scope: Scope,
        address: IpAddr,
        now: Instant,
    ) -> Result<Arc<Key>, Refusal> {
        if let Some(wait) = self.failures.wait(address, now) {
            return Err(Refusal::TooManyFailures { wait });
        }
        let presented = presented.ok_or(Refusal::Unauthorized)?;
        let Some(key) = self.verify(presented) else {
            self.failures.note(address, now);
            return Err(Refusal::Unauthorized);
        };
        key.requests.inc();
        if !key.entry.scopes.contains(&scope) {
            return Err(Refusal::Forbidden(scope));
        }
        Ok(key)
    }

    /// The key, if that is one. An id that is not there takes as long as a secret that is wrong.
    fn verify(&self, presented: &str) -> Option<Arc<Key>> {
        let parts = presented.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (id, secret) = parts.unwrap_or_default();
        let key = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let expected = key.as_ref().map_or([0; 32], |key| key.entry.hash);
        let is_equal = bool::from(expected[..].ct_eq(&hash(secret)[..]));
        key.filter(|_| is_equal)
    }
}

/// Reads the keys again whenever their file changes, and on SIGHUP. For ever, if there is a file.
pub async fn watch(service: Arc<Service>) {
    let Some(keys) = &service.keys else { return };
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(error = ?error.to_string(), "the keys are not watched");
            return;
        }
    };
    let mut every = interval(Duration::from_secs(1));
    let mut file = keys.opened.clone();
    loop {
        let asked = tokio::select! {
            _ = every.tick() => false,
            _ = hangup.recv() => true,
        };
        // Before it is read: what changes meanwhile is another change.
        if !file.has_changed() && !asked {
            continue;
        }
        match keys.reload(&service.metrics) {
            Ok(count) => tracing::info!(keys = count, "the keys were read again"),
            Err(error) => tracing::warn!(error = ?error, "the keys stay as they were"),
        }
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

impl Key {
    fn new(entry: Entry, usage: Option<Arc<Usage>>, jobs_max: usize, metrics: &Metrics) -> Key {
        let [requests, cost] = metrics.of_key(&entry.name);
        let fresh = || Usage {
            bucket: Mutex::new(Bucket::full(Instant::now())),
            jobs: AtomicUsize::new(0),
        };
        // Less a little, so that a tenth of ten is not two.
        let jobs_max = (entry.share * jobs_max as f64 - 1e-9).ceil() as usize;
        let usage = usage.unwrap_or_else(|| Arc::new(fresh()));
        Key { entry, jobs_max: jobs_max.max(1), usage, requests, cost }
    }

    /// The name in the file.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Admits a request before its body is read, for the cost that its declared length suggests.
    /// Without one the cost is the key's burst, or that of the largest body if this is less.
    ///
    /// # Errors
    /// If the key's rate is used up, or its share of the jobs is taken and this is one more.
    pub fn admit(
        self: Arc<Key>,
        declared: Option<usize>,
        body_bytes_max: usize,
        is_job: bool,
        now: Instant,
    ) -> Result<Admission, Refusal> {
        let bytes = declared.unwrap_or(body_bytes_max);
        let mut cost = (bytes / BYTES_PER_NUMBER).max(1);
        if let (None, Some(quota)) = (declared, self.entry.quota) {
            cost = cost.min(quota.burst as usize).max(1);
        }
        if is_job {
            let jobs = &self.usage.jobs;
            let one_more = |jobs| (jobs < self.jobs_max).then_some(jobs + 1);
            jobs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
                .map_err(|_| Refusal::OverShare { jobs_max: self.jobs_max })?;
        }
        // From here on dropping it gives the job back.
        let mut admission = Admission { key: self, cost: 0, is_job };
        let key = &admission.key;
        if let Some(quota) = key.entry.quota {
            let taken = key.bucket().take(quota, cost as f64, now);
            taken.map_err(|wait| Refusal::OverRate { rate: quota.rate, wait })?;
        }
        admission.cost = cost;
        Ok(admission)
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.usage.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an admitted request takes of its key: a job until this is dropped, and its cost.
pub struct Admission {
    key: Arc<Key>,
    cost: usize,
    is_job: bool,
}

impl Admission {
    /// Raises the cost to that of a body of so many bytes, if it turned out to have more than were
    /// declared.
    pub fn raise(&mut self, bytes: usize, now: Instant) {
        let cost = bytes / BYTES_PER_NUMBER;
        if self.cost < cost {
            self.correct(cost, now);
        }
    }

    /// Sets the cost to what it turned out to be: the numbers in the inputs.
    pub fn correct(&mut self, cost: usize, now: Instant) {
        if let Some(quota) = self.key.entry.quota {
            self.key.bucket().spend(quota, cost as f64 - self.cost as f64, now);
        }
        self.cost = cost;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.key.cost.inc_by(self.cost as u64);
        if self.is_job {
            self.key.usage.jobs.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;

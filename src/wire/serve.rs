//! The server: its ports, their connections, and stopping without losing a request.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{interval, sleep, timeout};

use super::App;
use super::access::Peer;
use super::connection::{self, Host};
use super::guard::Patience;
use super::observe::InFlight;
use super::site::Site;
use super::tls::{self, Tls};
use crate::config::Config;
use crate::numeric::spare;
use crate::service::{Service, keys};

/// Connections of the operations port.
const OPERATIONS_CONNECTIONS: usize = 32;

/// Serves until the process is asked to stop, and then until the requests that are there are
/// answered or the time for it is over.
///
/// # Errors
/// If an address cannot be listened on.
pub async fn serve(service: Service, tls: Option<Arc<Tls>>) -> io::Result<()> {
    let app = Arc::new(service);
    let config = &app.config;
    let listener = TcpListener::bind(&config.listen).await;
    let listener = listener.map_err(|error| cannot_listen(&config.listen, &error))?;
    let operations = match config.operations_listen.as_str() {
        "" => None,
        address => Some(serve_operations(address, app.clone())?),
    };
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    announce(&app, listener.local_addr()?, operations);
    tokio::spawn(release_spare_buffers());
    tokio::spawn(keys::watch(app.clone()));
    if let Some(tls) = &tls {
        tokio::spawn(tls::watch(tls.clone()));
    }
    let doors = Doors::new(config.connections(), config.connections_per_address_max);
    // Every connection has a receiver as long as it lasts.
    let (connections, stop_connections) = watch::channel(());
    let host = Host::new(Site::new(app.clone()), stop_connections);
    tokio::select! {
        // Ends with the other one, and the listener with it.
        () = accept(listener, &doors, host, tls) => {}
        () = stop(&app, &mut terminate, &mut interrupt) => {}
    }
    let drain_seconds = config.drain_seconds;
    tracing::info!(drain_seconds, "stopping: finishing the requests that are there");
    connections.send_replace(());
    if timeout(config.drain_timeout(), connections.closed()).await.is_err() {
        tracing::warn!(drain_seconds, "stopped before every connection was done");
    } else {
        tracing::info!("stopped");
    }
    Ok(())
}

/// Ends when connections should no longer be accepted. After SIGTERM some still are for a while,
/// from clients that have not heard that the server is no longer ready; after Ctrl-C, or a second
/// signal, none.
async fn stop(app: &Service, terminate: &mut Signal, interrupt: &mut Signal) {
    let in_haste = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => true,
    };
    app.drain();
    if in_haste || app.config.lame_duck_seconds == 0.0 {
        return;
    }
    let lame_duck_seconds = app.config.lame_duck_seconds;
    tracing::info!(lame_duck_seconds, "stopping soon: not ready, but serving");
    tokio::select! {
        () = sleep(app.config.lame_duck()) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Gives buffers that nobody has used for a while back to the system.
async fn release_spare_buffers() {
    const UNUSED_FOR: Duration = Duration::from_secs(10);
    let mut every = interval(UNUSED_FOR / 4);
    loop {
        every.tick().await;
        spare::release(UNUSED_FOR);
    }
}

/// How many connections there may be, in total and from one address.
struct Doors {
    total: Arc<Semaphore>,
    each: usize,
    of_addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that was let in; it counts until this is dropped.
struct Inside {
    address: IpAddr,
    of_addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _one: OwnedSemaphorePermit,
}

impl Doors {
    fn new(total: usize, each: usize) -> Doors {
        let of_addresses = Arc::default();
        Doors { total: Arc::new(Semaphore::new(total)), each, of_addresses }
    }

    /// Lets a connection in, unless its address has too many.
    fn let_in(&self, address: IpAddr, one: OwnedSemaphorePermit) -> Option<Inside> {
        let mut counts = self.of_addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if self.each <= *count {
            return None;
        }
        *count += 1;
        Some(Inside { address, of_addresses: self.of_addresses.clone(), _one: one })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut counts = self.of_addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Accepts connections for ever and serves each in a task of its own.
async fn accept(listener: TcpListener, doors: &Doors, host: Host, tls: Option<Arc<Tls>>) {
    loop {
        // Those that find no place wait in the kernel, and take no file descriptor.
        let Ok(place) = doors.total.clone().acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: let some connections end first.
                tracing::warn!(error = ?error.to_string(), "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(inside) = doors.let_in(address.ip(), place) else {
            host.site.app().metrics.connection_ended("address-limit");
            continue;
        };
        if connection::prepare(&stream).is_err() {
            continue;
        }
        let (host, tls) = (host.clone(), tls.clone());
        tokio::spawn(async move {
            let _inside = inside;
            let app = host.site.app().clone();
            let _open = InFlight::new(&app.metrics.connections);
            let peer = Peer(address.ip());
            let end = connection::serve(stream, peer, host, tls).await;
            app.metrics.connection_ended(end);
        });
    }
}

/// Serves health, readiness and metrics on a port and a thread of their own, which nothing that
/// happens on the other port can keep busy. Gives the address.
fn serve_operations(address: &str, app: App) -> io::Result<SocketAddr> {
    let listener =
        std::net::TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let serve = async move {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let doors = Doors::new(OPERATIONS_CONNECTIONS, OPERATIONS_CONNECTIONS);
        // Its connections end with the process.
        let (_connections, stop) = watch::channel(());
        accept(listener, &doors, Host::new(Site::operations(app), stop), None).await;
    };
    thread::Builder::new().name("operations".to_owned()).spawn(move || runtime.block_on(serve))?;
    Ok(bound)
}

fn cannot_listen(address: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

/// The one line at the start: where, how, and what to try.
fn announce(app: &Service, address: SocketAddr, operations: Option<SocketAddr>) {
    let shown = if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
    };
    let beside = operations.map_or_else(String::new, |operations| {
        format!(", health and metrics also on http://{operations}")
    });
    let scheme = if app.config.is_secure() { "https" } else { "http" };
    tracing::info!(
        "lossd {} listens on {scheme}://{address} (simd {}, {} threads{beside}); try: \
         curl {scheme}://{shown}/loss/mse -d '{{\"predictions\":[1,2,3],\"targets\":[1,2,5]}}'",
        env!("CARGO_PKG_VERSION"),
        app.level.name(),
        app.threads,
    );
}

impl Host {
    fn new(site: Site, stop: watch::Receiver<()>) -> Host {
        let patience = site.app().config.patience();
        Host { site, patience, stop }
    }
}

/// The patience with clients that the settings ask for.
impl Config {
    /// How long clients may take.
    pub fn patience(&self) -> Patience {
        let seconds = Duration::from_secs_f64;
        Patience {
            first_byte: seconds(self.header_seconds / 2.0),
            head: seconds(self.header_seconds),
            keep_alive: seconds(self.keep_alive_seconds),
            reading: seconds(self.write_seconds),
        }
    }
}

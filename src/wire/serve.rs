//! The server: a port, its connections, and stopping without losing a request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, sleep, timeout};
use tower::Layer;

use super::access::Peer;
use super::router;
use crate::numeric::spare;
use crate::service::{Service, keys};

/// Serves until the process is asked to stop, and then until the requests that are there are
/// answered or the time for it is over.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(service: Service) -> io::Result<()> {
    let listener = TcpListener::bind(&service.config.listen).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", service.config.listen))
    })?;
    let app = Arc::new(service);
    announce(&app, listener.local_addr()?);
    let router = router(app.clone());
    tokio::spawn(release_spare_buffers());
    tokio::spawn(keys::watch(app.clone()));
    let connections = GracefulShutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connect(stream, peer, &router, &connections, app.config.header_timeout()),
                Err(error) => {
                    // Out of file descriptors, most likely: let some connections end first.
                    tracing::warn!(error = ?error.to_string(), "a connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    app.drain();
    drop(listener);
    let drain_seconds = app.config.drain_seconds;
    tracing::info!(drain_seconds, "stopping: finishing the requests that are there");
    if timeout(app.config.drain_timeout(), connections.shutdown()).await.is_err() {
        tracing::warn!(drain_seconds, "stopped before every connection was done");
    } else {
        tracing::info!("stopped");
    }
    Ok(())
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

/// Serves one connection in a task of its own.
fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    router: &Router,
    connections: &GracefulShutdown,
    header_timeout: Duration,
) {
    // Answers are written whole; waiting to fill a packet only delays them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = Extension(Peer(peer.ip())).layer(router.clone());
    let service = TowerToHyperService::new(service);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = ?error.to_string(), "a connection ended early");
        }
    });
}

/// The one line at the start: where, how, and what to try.
fn announce(app: &Service, address: SocketAddr) {
    let shown = if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
    };
    tracing::info!(
        "lossd {} listens on http://{address} (simd {}, {} threads); try: \
         curl http://{shown}/loss/mse -d '{{\"predictions\":[1,2,3],\"targets\":[1,2,5]}}'",
        env!("CARGO_PKG_VERSION"),
        app.level.name(),
        app.threads,
    );
}

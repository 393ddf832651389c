//! Puts the parts together: config → running parts → drain under a deadline. Knows all parts; no part knows it.

mod core;
mod options;
mod reload;
mod seal;
mod tokens;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use arc_swap::ArcSwap;
use axum::Router;
use clock::Clock;
use prometheus::Registry;
use tokio::{
    net::TcpListener,
    sync::Mutex,
    task::JoinSet,
    time::{error::Elapsed, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Access, AdminState, Gauges, pull},
    config::Config,
    deliver, enrich,
    event::{ChangeOutcome, DestinationName},
    pipeline, receive,
    receive::PublicPort,
    route,
    store::{self, Store},
    telemetry,
};

use self::core::{Core, Metrics, Parts, Prepared};

pub use self::{
    options::{Options, StoreUrl},
    reload::Reloaded,
};

/// How long the store may take to close, beyond the deadline of the rest.
const STORE_CLOSE_MAX: Duration = Duration::from_secs(10);

/// How long the admin port may take to close.
const ADMIN_CLOSE_MAX: Duration = Duration::from_secs(2);

/// A running router. Two of them run in one process without knowing of each other.
pub struct App {
    options: Options,
    store: Store,
    parts: Parts,
    port: Arc<PublicPort>,
    pull: Arc<pull::PullState>,
    destinations: Arc<ArcSwap<Vec<DestinationName>>>,
    reload_metrics: reload::Metrics,
    core: Mutex<Option<Core>>,
    public: Served,
    admin: Served,
}

/// A port that is served.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl App {
    /// Opens the store, binds both ports, starts everything.
    ///
    /// # Errors
    /// When the store cannot be used, an address is taken, the admin port would be open to the network without a token,
    /// or a connection or destination cannot be set up.
    pub async fn start(config: Config, options: Options, clock: Clock) -> anyhow::Result<Self> {
        let access = Access::new(options.admin_listen, options.admin_tokens.clone())?;
        let registry = Registry::new();
        telemetry::register_process(&registry, clock.now().as_second())?;
        let metrics = Metrics {
            enrich: enrich::Metrics::register(&registry)?,
            deliver: deliver::Metrics::register(&registry)?,
            pipeline: pipeline::Metrics::register(&registry)?,
            route: route::Metrics::register(&registry)?,
        };
        let store = open_store(&config, &options, &clock, &registry).await?;
        let gate = pipeline::Gate::default();
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            gate: Arc::clone(&gate),
            rules: Arc::default(),
            coming: Arc::default(),
            writing: pipeline::Writing::default(),
            store_keys: options.store_keys.clone(),
            metrics,
        };
        let public_listener = bind(options.listen).await?;
        let admin_listener = bind(options.admin_listen).await?;
        let port = PublicPort::new(
            config.sources.values().cloned(),
            config.service.limits.clone(),
            receive::Parts {
                store: store.clone(),
                clock: clock.clone(),
                metrics: receive::Metrics::register(&registry)?,
                gate,
                unheard: unheard(&parts),
            },
        );
        let pull = pull::PullState::new(
            pull_settings(&config),
            store.clone(),
            clock.clone(),
            parts.metrics.deliver.clone(),
        );
        let destinations = Arc::new(ArcSwap::from_pointee(names(&config)));
        let gauges = Gauges::register(&registry, store.clone(), clock)?;
        let reload_metrics = reload::Metrics::register(&registry)?;
        let core = Core::start(&config, Prepared::new(&config, parts.clone(), None)?);
        let state = AdminState {
            store: store.clone(),
            registry,
            gauges,
            destinations: Arc::clone(&destinations),
            port: Arc::clone(&port),
        };
        let router = admin::router(state, access, pull::router(Arc::clone(&pull)));
        Ok(Self {
            public: serve_public(public_listener, Arc::clone(&port))?,
            admin: serve_admin(admin_listener, router, Arc::clone(&pull))?,
            core: Mutex::new(Some(core)),
            options,
            store,
            parts,
            port,
            pull,
            destinations,
            reload_metrics,
        })
    }

    /// Where Zoho calls.
    pub const fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    /// Where operators look.
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// The store, to look into.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Waits for the end of a part that should run until it is told to stop.
    pub async fn part_ended(&self) {
        let mut core = self.core.lock().await;
        let core = async {
            match core.as_mut() {
                Some(core) => core.part_ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = core => {}
            () = self.public.part_ended() => {}
            () = self.admin.part_ended() => {}
        }
    }

    /// Answers what is under way on the public port, then lets what is in flight come back, then closes the store.
    /// False when `deadline` passed first; nothing is lost then either, it is delivered again after the next start.
    pub async fn stop(self, deadline: Duration) -> bool {
        let clock = self.parts.clock.clone();
        let until = clock.monotonic().saturating_add(deadline);
        let left = || until.saturating_sub(clock.monotonic());
        let public = self.public.stop(left()).await.is_ok();
        let core = self.core.lock().await.take();
        let core = match core {
            Some(core) => core.stop(left()).await,
            // A reload that was cut off took it.
            None => false,
        };
        if self.admin.stop(ADMIN_CLOSE_MAX).await.is_err() {
            tracing::debug!("closed connections of the admin port");
        }
        let store = timeout(STORE_CLOSE_MAX, self.store.close()).await.is_ok();
        public && core && store
    }
}

impl Served {
    async fn part_ended(&self) {
        let mut tasks = self.tasks.lock().await;
        tasks.join_next().await;
    }

    async fn stop(&self, deadline: Duration) -> Result<(), Elapsed> {
        self.stop.cancel();
        let mut tasks = self.tasks.lock().await;
        let ended = timeout(deadline, async {
            while tasks.join_next().await.is_some() {}
        })
        .await;
        tasks.shutdown().await;
        ended
    }
}

/// What the routes do not listen to, neither those of now nor those that a reload is about to bring.
fn unheard(parts: &Parts) -> receive::Unheard {
    let (rules, coming) = (Arc::clone(&parts.rules), Arc::clone(&parts.coming));
    let unwanted = ChangeOutcome::Unwanted.as_str();
    receive::Unheard {
        is: Arc::new(move |change| {
            // In this order: what is coming becomes what is now before it stops coming.
            let comes = coming.load();
            let comes = comes.as_ref().is_some_and(|it| it.routes.hears(change));
            !comes && !rules.load().routes.hears(change)
        }),
        closed: parts
            .metrics
            .pipeline
            .changes_closed
            .with_label_values(&[unwanted]),
    }
}

async fn open_store(
    config: &Config,
    options: &Options,
    clock: &Clock,
    registry: &Registry,
) -> anyhow::Result<Store> {
    let StoreUrl::Sqlite(path) = &options.store;
    let settings = store::Settings {
        path: path.clone(),
        keep_events: config.service.keep_events,
        size_bytes_max: config.service.keep_size_bytes,
    };
    let metrics = store::Metrics::register(registry)?;
    Ok(Store::open(settings, clock.clone(), metrics).await?)
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

fn serve_public(listener: TcpListener, port: Arc<PublicPort>) -> anyhow::Result<Served> {
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(receive::serve(listener, port, stop.clone(), PUBLIC_DRAIN));
    Ok(Served {
        address,
        stop,
        tasks: Mutex::new(tasks),
    })
}

/// How long requests under way on the public port may take when we stop.
const PUBLIC_DRAIN: Duration = Duration::from_secs(5);

fn serve_admin(
    listener: TcpListener,
    router: Router,
    pull: Arc<pull::PullState>,
) -> anyhow::Result<Served> {
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(pull.run(stop.clone()));
    let stopped = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(%error, "the admin port ended");
        }
    });
    Ok(Served {
        address,
        stop,
        tasks: Mutex::new(tasks),
    })
}

fn names(config: &Config) -> Vec<DestinationName> {
    config.destinations.keys().cloned().collect()
}

fn pull_settings(config: &Config) -> Vec<(DestinationName, deliver::PullSettings)> {
    config
        .destinations
        .iter()
        .filter_map(|(name, settings)| match &settings.kind {
            deliver::Kind::Pull(pull) => Some((name.clone(), pull.clone())),
            deliver::Kind::Amqp(_)
            | deliver::Kind::Webhook(_)
            | deliver::Kind::Stdout
            | deliver::Kind::Zoho(_) => None,
        })
        .collect()
}

//! The addresses of the page: what each answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::Next;
use axum::routing::{get, post};
use deepmcat_schemas::layout::DATASET;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::Error;
use crate::audit::{self, Auditing};
use crate::data::{Data, Order};
use crate::error::{Refusal, with_causes};
use crate::guard::{Guard, Verdict, protect};
use crate::session::{self, Session};
use crate::space::Space;
use crate::split::PARTS;
use crate::{png16, tiles};

/// Bytes of a request at most.
const BODY: usize = 64 << 10;
/// Images that are shown as similar to one.
const SIMILAR: usize = 100;
/// Images of a part that are shown.
const OF_PART: usize = 20;
/// How long the page's files and pictures stay with the browser: they are of this result.
const KEPT: &str = "private, max-age=3600";
/// How long open connections may take when the program is told to end.
const GRACE: Duration = Duration::from_secs(2);
/// How often the table of names is made anew, at most.
const NAMES_EVERY: Duration = Duration::from_secs(3);

const PAGE: &str = include_str!("../page/page.html");
const AUDIT_PAGE: &str = include_str!("../page/audit.html");
const ICON: &str = include_str!("../page/icon.svg");
const STYLE: &str = include_str!("../page/style.css");
const SCRIPTS: [(&str, &str); 5] = [
    ("main.js", include_str!("../page/main.js")),
    ("view.js", include_str!("../page/view.js")),
    ("logic.js", include_str!("../page/logic.js")),
    ("audit.js", include_str!("../page/audit.js")),
    ("canvas.js", include_str!("../page/canvas.js")),
];

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct App {
    data: Arc<Data>,
    session: Mutex<Session>,
    auditing: Mutex<Option<Auditing>>,
    space: Space,
    guard: Guard,
}

type Shared = State<Arc<App>>;
type Answer = Response<Body>;

impl App {
    pub(crate) fn new(
        data: Arc<Data>,
        session: Session,
        auditing: Option<Auditing>,
        space: Space,
        guard: Guard,
    ) -> Arc<Self> {
        Arc::new(Self { data, session: Mutex::new(session), auditing: Mutex::new(auditing), space, guard })
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        // The log itself is whole whatever happened to who held it.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn audited(&self, work: impl FnOnce(&mut Auditing) -> Result<Answer, Refusal>) -> Result<Answer, Refusal> {
        let mut auditing = self.auditing.lock().unwrap_or_else(PoisonError::into_inner);
        work(auditing.as_mut().ok_or(Refusal::Absent("draw"))?)
    }

    fn place(&self, cluster: u32) -> Result<usize, Refusal> {
        self.data.place(cluster).ok_or(Refusal::Absent("cluster"))
    }
}

/// Answers until it is told to end.
///
/// # Errors
/// When the system refuses signals or sockets, or the names cannot be written at the end.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>) -> Result<(), Error> {
    let router = Router::new()
        .route("/", get(page))
        .route("/audit", get(audit_page))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .route("/favicon.ico", get(icon)) // what browsers ask for unasked
        .route("/{script}", get(script))
        .route("/api/run", get(run))
        .route("/api/state", get(state))
        .route("/api/last", get(last))
        .route("/api/agreement", get(agreement))
        .route("/api/cluster/{cluster}", get(cluster))
        .route("/api/sheet/{cluster}/{order}/{page}", get(sheet))
        .route("/api/image/{image}", get(image))
        .route("/api/similar/{image}", get(similar))
        .route("/api/split/{cluster}/{parts}", get(split))
        .route("/api/map", get(map))
        .route("/api/pixels/{image}", get(pixels))
        .route("/api/tiles/{side}/{images}", get(tiles_of))
        .route("/api/decide", post(decide))
        .route("/api/audit", get(drawn).post(answer_drawn))
        .fallback(async || absent())
        .layer(DefaultBodyLimit::max(BODY))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guarded))
        .with_state(Arc::clone(&app));
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (told, end) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        told.send(true).ok();
    });
    let ended = |mut end: tokio::sync::watch::Receiver<bool>| async move { drop(end.changed().await) };
    let writer = tokio::spawn(keep_names(Arc::clone(&app)));
    let serving = axum::serve(listener, router).with_graceful_shutdown(ended(end.clone()));
    tokio::select! {
        served = serving => served?,
        // A browser may keep a connection open.
        () = async { ended(end).await; tokio::time::sleep(GRACE).await } => {}
    }
    writer.abort();
    app.session().write_names()?;
    tracing::info!("ended; all decisions are in the log");
    Ok(())
}

/// Makes the table of names anew while nobody waits for it.
async fn keep_names(app: Arc<App>) {
    loop {
        tokio::time::sleep(NAMES_EVERY).await;
        if app.session().behind {
            let app = Arc::clone(&app);
            let write = move || app.session().write_names();
            if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
                tracing::warn!("the table of names could not be written: {}", with_causes(&error));
            }
        }
    }
}

async fn guarded(State(app): Shared, request: Request, next: Next) -> Answer {
    match app.guard.judge(&request) {
        Verdict::Answer(answer) => answer,
        Verdict::Pass => protect(next.run(request).await),
    }
}

async fn page() -> Answer {
    answer("text/html; charset=utf-8", PAGE.into(), None)
}

async fn audit_page() -> Answer {
    answer("text/html; charset=utf-8", AUDIT_PAGE.into(), None)
}

async fn style() -> Answer {
    answer("text/css; charset=utf-8", STYLE.into(), None)
}

async fn icon() -> Answer {
    answer("image/svg+xml", ICON.into(), Some(KEPT))
}

async fn script(Path(name): Path<String>) -> Answer {
    match SCRIPTS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => answer("text/javascript; charset=utf-8", (*text).into(), None),
        None => absent(),
    }
}

async fn run(State(app): Shared) -> Answer {
    json_of(&app.data.overview())
}

async fn state(app: Shared) -> Answer {
    work(app, |app| {
        let mut session = app.session();
        session.refresh()?;
        Ok(json_of(&session.state()))
    })
    .await
}

async fn last(app: Shared) -> Answer {
    work(app, |app| Ok(json_of(&json!({"last": app.session().refresh()?})))).await
}

async fn agreement(app: Shared) -> Answer {
    work(app, |app| {
        let mut session = app.session();
        session.refresh()?;
        Ok(json_of(&session.agreement()))
    })
    .await
}

async fn cluster(app: Shared, Path(cluster): Path<u32>) -> Answer {
    work(app, move |app| Ok(json_of(&app.data.beside(app.place(cluster)?)))).await
}

async fn sheet(app: Shared, Path((cluster, order, page)): Path<(u32, String, usize)>) -> Answer {
    work(app, move |app| {
        let order = Order::of(&order).ok_or(Refusal::Absent("order"))?;
        let (images, pages) = app.data.sheet(app.place(cluster)?, order, page);
        if images.is_empty() {
            return Err(Refusal::Absent("page"));
        }
        let session = app.session();
        let names = session.names_of(&images);
        Ok(json_of(&json!({"page": page, "pages": pages, "images": images, "names": names})))
    })
    .await
}

async fn image(app: Shared, Path(image): Path<u32>) -> Answer {
    work(app, move |app| {
        let mut told = app.data.image(image).ok_or(Refusal::Absent("image"))?;
        told["name"] = app.session().names_of(&[image])[0].map_or(Value::Null, Value::from);
        Ok(json_of(&told))
    })
    .await
}

async fn similar(app: Shared, Path(image): Path<u32>) -> Answer {
    work(app, move |app| {
        app.data.key(image).ok_or(Refusal::Absent("image"))?;
        let images = app.space.similar(&app.data.result, image, SIMILAR).map_err(Refusal::Failed)?;
        let number = |&image: &u32| app.data.place_of_image(image).map(|place| app.data.clusters[place].number.0);
        let clusters: Vec<Option<u32>> = images.iter().map(number).collect();
        let session = app.session();
        let names = session.names_of(&images);
        Ok(json_of(&json!({"images": images, "clusters": clusters, "names": names})))
    })
    .await
}

async fn split(app: Shared, Path((cluster, parts)): Path<(u32, usize)>) -> Answer {
    work(app, move |app| {
        let parts = parts_of(app, cluster, parts)?;
        let part = |images: &Vec<u32>| {
            let proposal = app.data.proposal(images);
            json!({"size": images.len(), "images": &images[..images.len().min(OF_PART)], "proposal": proposal})
        };
        Ok(json_of(&json!({"parts": parts.iter().map(part).collect::<Vec<_>>()})))
    })
    .await
}

fn parts_of(app: &App, cluster: u32, parts: usize) -> Result<Vec<Vec<u32>>, Refusal> {
    let place = app.place(cluster)?;
    if !PARTS.contains(&parts) {
        return Err(Refusal::Bad(format!("a cluster is split into {} to {} parts", PARTS.start(), PARTS.end())));
    }
    let members = &app.data.clusters[place].members;
    app.space.parts(&app.data.result, members, parts).map_err(Refusal::Failed)
}

async fn map(State(app): Shared) -> Answer {
    match app.data.map() {
        Some(bytes) => answer("application/octet-stream", bytes.clone().into(), None),
        None => absent(),
    }
}

async fn pixels(app: Shared, Path(image): Path<u32>) -> Answer {
    work(app, move |app| {
        let path = app.data.paths(&[image]).and_then(|mut paths| paths.pop()).ok_or(Refusal::Absent("image"))?;
        let grey = png16::read(&app.data.result.run.join(DATASET).join(path)).map_err(Refusal::Failed)?;
        // The size comes first.
        let head = [grey.width, grey.height].into_iter().flat_map(u32::to_le_bytes);
        let bytes: Vec<u8> = head.chain(grey.values.into_iter().flat_map(u16::to_le_bytes)).collect();
        Ok(answer("application/octet-stream", bytes.into(), Some(KEPT)))
    })
    .await
}

async fn tiles_of(app: Shared, Path((side, images)): Path<(usize, String)>) -> Answer {
    work(app, move |app| {
        let images: Option<Vec<u32>> = images.split(',').map(|image| image.parse().ok()).collect();
        let images = images.filter(|images| images.len() <= tiles::MOST && tiles::SIDES.contains(&side));
        let paths = images.and_then(|images| app.data.paths(&images)).ok_or(Refusal::Absent("images"))?;
        let jpeg = tiles::picture(&app.data.result.run.join(DATASET), &paths, side).map_err(Refusal::Failed)?;
        Ok(answer("image/jpeg", jpeg.into(), Some(KEPT)))
    })
    .await
}

async fn decide(app: Shared, body: Bytes) -> Answer {
    work(app, move |app| {
        let request: session::Request =
            serde_json::from_slice(&body).map_err(|error| Refusal::Bad(format!("the request is wrong: {error}")))?;
        let part = match request.part() {
            Some((cluster, parts, part)) => {
                let images = parts_of(app, cluster, parts)?.into_iter().nth(part);
                Some(images.ok_or(Refusal::Absent("part"))?)
            }
            None => None,
        };
        let mut session = app.session();
        let done = session.decide(request, part)?;
        let mut state = session.state();
        (state["said"], state["at"]) = (done.said.into(), done.at.into());
        Ok(json_of(&state))
    })
    .await
}

async fn drawn(app: Shared) -> Answer {
    // A browser's console takes a 404 for an error, and that nothing was drawn is none.
    let none = || json_of(&json!({"drawn": [], "categories": [], "file": ""}));
    work(app, move |app| app.audited(|auditing| Ok(json_of(&auditing.told()))).or_else(|_| Ok(none()))).await
}

async fn answer_drawn(app: Shared, body: Bytes) -> Answer {
    work(app, move |app| {
        let request: audit::Answer =
            serde_json::from_slice(&body).map_err(|error| Refusal::Bad(format!("the request is wrong: {error}")))?;
        app.audited(|auditing| Ok(json_of(&auditing.answer(request)?)))
    })
    .await
}

/// Does what reads files or computes beside the thread that listens.
async fn work(State(app): Shared, job: impl FnOnce(&App) -> Result<Answer, Refusal> + Send + 'static) -> Answer {
    match tokio::task::spawn_blocking(move || job(&app)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => refused(&refusal),
        Err(error) => refused(&Refusal::Failed(error.to_string())),
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::Stale { .. } => StatusCode::CONFLICT,
        Refusal::Absent(_) => StatusCode::NOT_FOUND,
        Refusal::Bad(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Failed(message) => {
            tracing::error!("{message}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let mut answer = json_of(&json!({"error": refusal.to_string()}));
    *answer.status_mut() = status;
    answer
}

fn absent() -> Answer {
    refused(&Refusal::Absent("address"))
}

fn json_of(value: &Value) -> Answer {
    answer("application/json", value.to_string().into(), None)
}

fn answer(kind: &'static str, body: Body, kept: Option<&'static str>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(kept) = kept {
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    }
    answer
}

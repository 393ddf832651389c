//! A webhook receiver whose answers can be changed while it runs.

#![expect(clippy::panic, reason = "a test that waits in vain says for what")]

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, Uri},
};
use tokio::{net::TcpListener, sync::watch};

/// Longest wait for a request that should come.
const WAIT: Duration = Duration::from_secs(20);

/// How requests are answered from now on.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// With a status and headers.
    Status(u16, Vec<(&'static str, String)>),
    /// With a status that depends on the body.
    ByBody(fn(&str) -> u16),
    /// Never.
    Hang,
    /// With a status and a body that never ends.
    Endless(u16),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The status it is answered with, if it is.
    pub(crate) answered: Option<u16>,
}

/// Listens on a port of its own.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    requests: watch::Sender<Vec<Request>>,
}

impl Receiver {
    /// Answers 204 until told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(Answer::Status(204, vec![]))),
            requests: watch::Sender::new(vec![]),
        };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn answer_status(&self, status: u16) {
        self.answer(Answer::Status(status, vec![]));
    }

    /// All that came so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// The message ids of all requests that were answered with success.
    pub(crate) fn accepted_ids(&self) -> HashSet<String> {
        self.requests()
            .iter()
            .filter(|it| it.answered.is_some_and(|status| status / 100 == 2))
            .map(|it| it.headers["webhook-id"].to_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until `count` requests have come in all.
    ///
    /// # Panics
    /// When they do not come.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Request> {
        let mut requests = self.requests.subscribe();
        let came = requests.wait_for(|it| it.len() >= count);
        let Ok(requests) = tokio::time::timeout(WAIT, came).await else {
            panic!("{} requests of {count} came", self.requests().len());
        };
        requests.unwrap().clone()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answer = receiver.answer.lock().unwrap().clone();
    let answer = match answer {
        Answer::ByBody(status) => Answer::Status(status(&String::from_utf8_lossy(&body)), vec![]),
        other @ (Answer::Status(..) | Answer::Hang | Answer::Endless(_)) => other,
    };
    let answered = match &answer {
        Answer::Status(status, _) | Answer::Endless(status) => Some(*status),
        Answer::Hang | Answer::ByBody(_) => None,
    };
    receiver.requests.send_modify(|requests| {
        requests.push(Request {
            path: uri.path().to_owned(),
            headers,
            body,
            answered,
        });
    });
    match answer {
        Answer::Status(status, headers) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::empty()).unwrap()
        }
        Answer::Hang | Answer::ByBody(_) => std::future::pending().await,
        Answer::Endless(status) => {
            let chunk = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 16 * 1024]));
            let chunks = futures_util::stream::repeat_with(chunk);
            Response::builder()
                .status(status)
                .body(Body::from_stream(chunks))
                .unwrap()
        }
    }
}

//! Lists at a path of their own: pages by number, then by token where Zoho gives one.

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::{
    Call, Client, Error, Listing, Page,
    page::{self, NO_WAY_ON},
    parts::PER_PAGE_MAX,
    request::{ApiRequest, Cost},
};

/// What is listed.
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) call: Call,
    pub(crate) path: Vec<String>,
    /// Where in an answer the entries are.
    pub(crate) key: &'static str,
    pub(crate) query: Vec<(&'static str, String)>,
}

/// Where a page starts.
#[derive(Clone)]
enum Place {
    Number(u32),
    Token(String),
}

impl Client {
    /// All entries of a list, each read by `each`; a list that cannot be asked for is its error.
    pub(crate) fn listed<T: Send + 'static>(
        &self,
        list: Result<List, Error>,
        each: fn(Value) -> Result<T, Error>,
    ) -> Listing<T> {
        let list = match list {
            Ok(list) => list,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let client = self.clone();
        page::pages(Place::Number(1), move |place| {
            let (client, list) = (client.clone(), list.clone());
            async move {
                let found = client.listed_at(&list, &place).await?;
                following(found.try_map(each)?, &place)
            }
        })
    }

    async fn listed_at(&self, list: &List, place: &Place) -> Result<Page<Value>, Error> {
        let path: Vec<&str> = list.path.iter().map(String::as_str).collect();
        let pairs = list.query.iter().map(|(key, value)| (*key, value.as_str()));
        let mut query: Vec<(&str, &str)> = pairs.collect();
        let (per_page, number) = (PER_PAGE_MAX.to_string(), place.number());
        query.push(("per_page", &per_page));
        query.push(match place {
            Place::Number(_) => ("page", &number),
            Place::Token(token) => ("page_token", token),
        });
        let request = ApiRequest::get(&path).query(&query);
        let answer = self.send(list.call, Cost::ONE, &request).await?;
        page::page(&answer, list.key)
    }
}

impl Place {
    fn number(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Token(_) => String::new(),
        }
    }
}

fn following<T>(found: Page<T>, place: &Place) -> Result<(Vec<T>, Option<Place>), Error> {
    let next = match (found.next_page_token, place) {
        _ if !found.more => None,
        (Some(token), _) => Some(Place::Token(token)),
        (None, Place::Number(page)) => Some(Place::Number(page.saturating_add(1))),
        (None, Place::Token(_)) => return Err(NO_WAY_ON),
    };
    Ok((found.items, next))
}

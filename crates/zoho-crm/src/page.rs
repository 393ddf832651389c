//! Pages of a list, and the one way to make a stream of them.

use std::fmt;

use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{Error, client::Answer};

/// Anything that comes one by one and takes a page's memory at most, however many there are. Ends with the first
/// error.
pub type Listing<T> = BoxStream<'static, Result<T, Error>>;

/// A list that is cut short must not look like its end.
pub(crate) const NO_WAY_ON: Error = Error::Malformed {
    problem: "more records, but no page token",
};

/// One page of a list.
#[derive(Clone, PartialEq)]
pub struct Page<T> {
    /// Its entries, in Zoho's order.
    pub items: Vec<T>,
    /// Whether there is another page.
    pub more: bool,
    /// How to ask for it, where Zoho gives that.
    pub next_page_token: Option<String>,
    /// Zoho's time when it answered (its `Date` header, to the second).
    pub answered_at: Timestamp,
}

/// A record's content is left out.
impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("items", &self.items.len())
            .field("more", &self.more)
            .field("answered_at", &self.answered_at)
            .finish_non_exhaustive()
    }
}

impl<T> Page<T> {
    /// The same page of other entries; the first that cannot be made fails it.
    pub(crate) fn try_map<U>(
        self,
        each: impl FnMut(T) -> Result<U, Error>,
    ) -> Result<Page<U>, Error> {
        Ok(Page {
            items: self.items.into_iter().map(each).collect::<Result<_, _>>()?,
            more: self.more,
            next_page_token: self.next_page_token,
            answered_at: self.answered_at,
        })
    }
}

/// The list under `key`, with what `info` says; an answer with nothing is an empty page.
pub(crate) fn page(answer: &Answer, key: &str) -> Result<Page<Value>, Error> {
    let mut page = Page {
        items: vec![],
        more: false,
        next_page_token: None,
        answered_at: answer.answered_at,
    };
    if answer.is_empty() {
        return Ok(page);
    }
    let mut body = answer.json()?;
    let Some(Value::Array(items)) = body.get_mut(key).map(Value::take) else {
        return Err(Error::Malformed {
            problem: "no list under the expected key",
        });
    };
    page.items = items;
    if let Some(info) = body.get("info") {
        let token = info.get("next_page_token").and_then(Value::as_str);
        page.more = info.get("more_records") == Some(&Value::Bool(true));
        page.next_page_token = token.map(ToOwned::to_owned);
    }
    Ok(page)
}

/// Makes a stream of pages: `fetch` is given where a page starts, and gives its entries and where the next one starts.
/// A page is asked for once the one before has been taken; a page with nothing in it is the last.
pub(crate) fn pages<T, C, F, Fut>(start: C, fetch: F) -> Listing<T>
where
    T: Send + 'static,
    C: Send + 'static,
    F: Fn(C) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(Vec<T>, Option<C>), Error>> + Send + 'static,
{
    stream::try_unfold(
        (Some(start), fetch),
        |(start, fetch): (Option<C>, F)| async move {
            let Some(start) = start else {
                return Ok::<_, Error>(None);
            };
            let (items, next) = fetch(start).await?;
            let next = next.filter(|_| !items.is_empty());
            Ok(Some((
                stream::iter(items.into_iter().map(Ok::<_, Error>)),
                (next, fetch),
            )))
        },
    )
    .try_flatten()
    .boxed()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn numbers(last: u32, fails_at: Option<u32>) -> Listing<u32> {
        pages(1, move |page| async move {
            if fails_at == Some(page) {
                return Err(Error::Misuse { problem: "test" });
            }
            let items = vec![page * 10, page * 10 + 1];
            Ok((items, (page < last).then_some(page + 1)))
        })
    }

    fn all(stream: Listing<u32>) -> Vec<Option<u32>> {
        let each = stream.map(Result::ok).collect();
        each.now_or_never().unwrap()
    }

    #[test]
    fn all_pages_come_in_order_and_an_error_ends_them() {
        let expected = [10, 11, 20, 21, 30, 31].map(Some);
        assert_eq!(all(numbers(3, None)), expected);
        assert_eq!(all(numbers(3, Some(2))), [Some(10), Some(11), None]);
    }

    #[test]
    fn an_empty_page_is_the_last_whatever_it_says() {
        let stream: Listing<u32> = pages(1, |page| async move { Ok((vec![], Some(page))) });
        assert_eq!(all(stream), []);
    }

    #[test]
    fn a_page_says_how_to_go_on() {
        let answer = |status, body: &str| Answer {
            status,
            body: body.to_owned().into(),
            answered_at: Timestamp::UNIX_EPOCH,
        };
        let read = page(
            &answer(
                200,
                r#"{"data":[{"id":"1"}],"info":{"more_records":true,"next_page_token":"abc"}}"#,
            ),
            "data",
        )
        .unwrap();
        assert_eq!((read.items.len(), read.more), (1, true));
        assert_eq!(read.next_page_token.as_deref(), Some("abc"));
        assert!(page(&answer(204, ""), "data").unwrap().items.is_empty());
        assert!(page(&answer(200, r#"{"data":{}}"#), "data").is_err());
    }
}

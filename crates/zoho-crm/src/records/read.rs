//! Reading records by their ids: a hundred with a call, any number as a stream, or one.

use std::{fmt, sync::Arc};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    Converted, IDS_MAX, NOT_A_MODULE, NOT_AN_ID, Values, check_fields, is_api_name, is_record_id,
    records_in,
};
use crate::{
    Call, Client, Error, Listing,
    page::pages,
    request::{ApiRequest, Cost},
    time,
};

/// `GET /{module}?ids=&fields=`.
#[derive(Clone, Copy, Debug)]
pub struct RecordQuery<'a> {
    /// The module's API name.
    pub module: &'a str,
    /// 1 to [`IDS_MAX`] record ids; any number for a stream.
    pub ids: &'a [&'a str],
    /// 1 to [`FIELDS_MAX`](crate::FIELDS_MAX) API names; `id` always comes with them.
    pub fields: &'a [&'a str],
    /// Whether converted leads are shown.
    pub converted: Converted,
}

/// What a list call found: absent ids are simply not there, and the order is Zoho's.
#[derive(Clone, PartialEq)]
pub struct Listed {
    /// One entry a record, each with its `id`.
    pub records: Vec<Values>,
    /// Zoho's time when it answered (its `Date` header, to the second).
    pub answered_at: Timestamp,
}

/// A record's content is left out.
impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed")
            .field("records", &self.records.len())
            .field("answered_at", &self.answered_at)
            .finish_non_exhaustive()
    }
}

/// `GET /{module}/{id}`.
#[derive(Clone, Copy, Debug)]
pub struct OneQuery<'a> {
    /// The module's API name.
    pub module: &'a str,
    /// The record's id.
    pub id: &'a str,
    /// Up to [`FIELDS_MAX`](crate::FIELDS_MAX) API names; none gives all there are.
    pub fields: &'a [&'a str],
    /// Whether a converted lead is shown.
    pub converted: Converted,
    /// Only if it was changed after this (to the second).
    pub modified_since: Option<Timestamp>,
}

impl<'a> OneQuery<'a> {
    /// One record, with everything it has.
    pub const fn of(module: &'a str, id: &'a str) -> Self {
        Self {
            module,
            id,
            fields: &[],
            converted: Converted::Hidden,
            modified_since: None,
        }
    }
}

/// What asking for one record found.
#[derive(Clone, PartialEq)]
pub struct One {
    /// `None` when Zoho does not have it, or not for us.
    pub record: Option<Values>,
    /// Zoho's time when it answered (its `Date` header, to the second).
    pub answered_at: Timestamp,
}

/// A record's content is left out.
impl fmt::Debug for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("One")
            .field("found", &self.record.is_some())
            .field("answered_at", &self.answered_at)
            .finish_non_exhaustive()
    }
}

/// An answer to "what changed since then".
#[derive(Clone, Debug, PartialEq)]
pub enum IfModified<T> {
    /// Nothing did (304).
    NotModified,
    /// This, or nothing was asked about a time.
    Is(T),
}

impl Client {
    /// Reads up to [`IDS_MAX`] records with one call and one credit.
    ///
    /// Zoho: "Get records", v8. Rich text is cut to 500 characters; subforms and multi-select lookups are not in it.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the query breaks a limit; else as the variants say.
    pub async fn records(&self, query: &RecordQuery<'_>) -> Result<Listed, Error> {
        if !(1..=IDS_MAX).contains(&query.ids.len()) {
            return Err(Self::wrong("a list call takes 1 to 100 ids"));
        }
        check(query)?;
        let ids = query.ids.join(",");
        let fields = query.fields.join(",");
        self.some(query.module, &ids, &fields, query.converted)
            .await
    }

    /// Reads any number of records by their ids: a call and a credit for each [`IDS_MAX`], one call's records in
    /// memory. Ids that are not there are left out.
    ///
    /// Zoho: "Get records", v8. As [`Self::records`].
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn records_by_ids(&self, query: &RecordQuery<'_>) -> Listing<Values> {
        if let Err(error) = check(query) {
            return stream::iter([Err(error)]).boxed();
        }
        let batches: Vec<String> = query.ids.chunks(IDS_MAX).map(|it| it.join(",")).collect();
        let asked = Arc::new((
            self.clone(),
            query.module.to_owned(),
            query.fields.join(","),
            query.converted,
        ));
        // A batch of which nothing is there any more is not the last: streams of one batch each.
        stream::iter(batches)
            .flat_map(move |ids| {
                let asked = Arc::clone(&asked);
                pages(ids, move |ids| {
                    let asked = Arc::clone(&asked);
                    async move {
                        let (client, module, fields, converted) = &*asked;
                        let listed = client.some(module, &ids, fields, *converted).await?;
                        Ok((listed.records, None))
                    }
                })
            })
            .boxed()
    }

    async fn some(
        &self,
        module: &str,
        ids: &str,
        fields: &str,
        converted: Converted,
    ) -> Result<Listed, Error> {
        let per_page = IDS_MAX.to_string();
        let mut pairs = vec![
            ("ids", ids),
            ("fields", fields),
            ("per_page", per_page.as_str()),
        ];
        pairs.extend(converted.parameter().map(|it| ("converted", it)));
        let path = [module];
        let request = ApiRequest::get(&path).query(&pairs);
        let answer = self.send(Call::List, Cost::ONE, &request).await?;
        Ok(Listed {
            answered_at: answer.answered_at,
            records: records_in(&answer)?,
        })
    }

    /// Reads one record with everything it has, subforms and multi-select lookups too.
    ///
    /// Zoho: "Get records", v8. 204, 404 and `INVALID_DATA` all mean that there is no such record (for us).
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when module or id cannot be one; else as the variants say.
    pub async fn record(&self, module: &str, id: &str) -> Result<One, Error> {
        match self.record_if(&OneQuery::of(module, id)).await? {
            IfModified::Is(one) => Ok(one),
            IfModified::NotModified => Ok(self.nothing()),
        }
    }

    /// Reads one record: some of its fields, or only if it was changed.
    ///
    /// Zoho: "Get records", v8. As [`Self::record`].
    ///
    /// # Errors
    /// As [`Self::record`].
    pub async fn record_if(&self, query: &OneQuery<'_>) -> Result<IfModified<One>, Error> {
        if !is_api_name(query.module) || !is_record_id(query.id) {
            return Err(Self::wrong("not a module's or not a record's name"));
        }
        check_fields(query.fields)?;
        let fields = query.fields.join(",");
        let mut pairs = vec![];
        if !fields.is_empty() {
            pairs.push(("fields", fields.as_str()));
        }
        pairs.extend(query.converted.parameter().map(|it| ("converted", it)));
        let since = query.modified_since.map(time::zoho);
        let since = since.as_deref();
        let headers: Vec<_> = since
            .map(|it| ("If-Modified-Since", it))
            .into_iter()
            .collect();
        let path = [query.module, query.id];
        let request = ApiRequest::get(&path).query(&pairs).headers(&headers);
        let answer = match self.send(Call::One, Cost::ONE, &request).await {
            Ok(answer) => answer,
            Err(error) if error.is_gone() => return Ok(IfModified::Is(self.nothing())),
            Err(error) => return Err(error),
        };
        if answer.is_unchanged() {
            return Ok(IfModified::NotModified);
        }
        Ok(IfModified::Is(One {
            answered_at: answer.answered_at,
            record: records_in(&answer)?.into_iter().next(),
        }))
    }

    fn nothing(&self) -> One {
        One {
            record: None,
            answered_at: self.inner.clock.now(),
        }
    }
}

fn check(query: &RecordQuery<'_>) -> Result<(), Error> {
    if !is_api_name(query.module) {
        return Err(NOT_A_MODULE);
    }
    if !query.ids.iter().all(|it| is_record_id(it)) {
        return Err(NOT_AN_ID);
    }
    if query.fields.is_empty() {
        return Err(Client::wrong("a list call takes 1 to 50 fields"));
    }
    check_fields(query.fields)
}

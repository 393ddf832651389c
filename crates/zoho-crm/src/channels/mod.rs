//! Notification channels: Zoho calls a URL when records change.

mod condition;
mod grant;
mod list;
mod request;

pub use self::{
    condition::{
        CONDITION_FIELDS_MAX, CONDITIONS_MAX, ChannelCondition, ConditionField, ConditionJoin,
    },
    grant::{ChannelGrant, DisabledChannel, GrantedModule},
    list::{ChannelEntry, ChannelFilter},
    request::{
        CHANNEL_EVENTS_MAX, CHANNEL_LIFE_MAX, CHANNELS_MAX, Channel, ChannelEvent, ChannelPatch,
        NOTIFY_URL_CHARS_MAX, TOKEN_CHARS_MAX, WatchOn,
    },
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    Batch, Call, Client, Error, ItemError, Listing,
    page::{page, pages},
    request::{ApiRequest, Cost},
};

const PATH: [&str; 2] = ["actions", "watch"];

/// Entries of a page. Zoho: "Get notification details", v8.
const PER_PAGE: &str = "200";

impl Client {
    /// Opens up to [`CHANNELS_MAX`] channels; one that is there already is renewed. One result a channel, in the order
    /// given.
    ///
    /// A channel lives an hour unless told otherwise and a week at most; asked for more, Zoho silently gives an hour:
    /// see [`ChannelGrant::shortened`].
    ///
    /// Zoho: "Enable notifications", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when one of them breaks a limit; else as the variants say.
    pub async fn enable_channels(
        &self,
        channels: &[Channel<'_>],
    ) -> Result<Batch<ChannelGrant>, Error> {
        let request = ApiRequest::post(&PATH);
        self.write_channels(Call::WatchEnable, request, channels)
            .await
    }

    /// Replaces up to [`CHANNELS_MAX`] channels that are there: what is not given is dropped.
    ///
    /// Zoho: "Update notification details", v8 (PUT).
    ///
    /// # Errors
    /// As [`Self::enable_channels`]; a channel that is not there is `NOT_SUBSCRIBED`.
    pub async fn replace_channels(
        &self,
        channels: &[Channel<'_>],
    ) -> Result<Batch<ChannelGrant>, Error> {
        let request = ApiRequest::put(&PATH);
        self.write_channels(Call::WatchReplace, request, channels)
            .await
    }

    /// Changes what is given of up to [`CHANNELS_MAX`] channels and keeps the rest.
    ///
    /// Zoho: "Update specific information of a notification", v8 (PATCH).
    ///
    /// # Errors
    /// As [`Self::replace_channels`].
    pub async fn patch_channels(
        &self,
        patches: &[ChannelPatch<'_>],
    ) -> Result<Batch<ChannelGrant>, Error> {
        request::count(patches.len())?;
        let now = self.inner.clock.now();
        let items = patches
            .iter()
            .map(|it| it.to_json(now))
            .collect::<Result<Vec<_>, _>>()?;
        let asked: Vec<_> = patches.iter().map(|it| it.expires_at).collect();
        self.send_channels(
            Call::WatchPatch,
            ApiRequest::patch(&PATH),
            (&json!({ "watch": items }), &asked),
        )
        .await
    }

    /// Stops a channel from hearing some of its events.
    ///
    /// Zoho: "Disable specific notifications", v8 (PATCH with `_delete_events`).
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the id or the number of events cannot be; a channel that is not there is
    /// [`Error::Invalid`] with `NOT_SUBSCRIBED`; else as the variants say.
    pub async fn drop_channel_events(
        &self,
        channel_id: &str,
        events: &[ChannelEvent<'_>],
    ) -> Result<ChannelGrant, Error> {
        let body = request::dropped(channel_id, events)?;
        let request = ApiRequest::patch(&PATH);
        let mut results = self
            .send_channels(Call::WatchDropEvents, request, (&body, &[None]))
            .await?;
        match results.pop() {
            Some(result) => Ok(result?),
            None => Err(Error::Malformed {
                problem: "no result for the channel",
            }),
        }
    }

    /// Closes up to [`CHANNELS_MAX`] channels. One result for each module that a channel watched, and one for each
    /// channel that is not there, in Zoho's order.
    ///
    /// Zoho: "Disable notifications", v8.
    ///
    /// # Errors
    /// As [`Self::enable_channels`].
    pub async fn disable_channels(
        &self,
        channel_ids: &[&str],
    ) -> Result<Batch<DisabledChannel>, Error> {
        request::count(channel_ids.len())?;
        for id in channel_ids {
            request::channel_id(id)?;
        }
        let ids = channel_ids.join(",");
        let query = [("channel_ids", ids.as_str())];
        let request = ApiRequest::delete(&PATH).query(&query).items("watch");
        let results = self
            .send_items(Call::WatchDisable, Cost::ONE, &request, None)
            .await?;
        Ok(results
            .into_iter()
            .map(|it| it.map(|entry| DisabledChannel::read(&entry)))
            .collect())
    }

    /// The channels there are, one entry a channel and module, page by page.
    ///
    /// Zoho: "Get notification details", v8. They are those of the user who gave consent.
    ///
    /// # Errors
    /// [`Error::Misuse`] where the filter cannot be; else as the variants say.
    pub fn channels(&self, filter: &ChannelFilter<'_>) -> Result<Listing<ChannelEntry>, Error> {
        let filter = filter.checked()?;
        let client = self.clone();
        Ok(pages(1_u64, move |number| {
            let (client, filter) = (client.clone(), filter.clone());
            async move {
                let number_text = number.to_string();
                let mut query = vec![("page", number_text.as_str()), ("per_page", PER_PAGE)];
                query.extend(filter.iter().map(|(key, value)| (*key, value.as_str())));
                let request = ApiRequest::get(&PATH).query(&query);
                let answer = client.send(Call::WatchList, Cost::ONE, &request).await?;
                let found = page(&answer, "watch")?.try_map(|it| ChannelEntry::read(&it))?;
                Ok((found.items, found.more.then_some(number + 1)))
            }
        }))
    }

    async fn write_channels(
        &self,
        call: Call,
        request: ApiRequest<'_>,
        channels: &[Channel<'_>],
    ) -> Result<Batch<ChannelGrant>, Error> {
        request::count(channels.len())?;
        let now = self.inner.clock.now();
        let items = channels
            .iter()
            .map(|it| it.to_json(now))
            .collect::<Result<Vec<_>, _>>()?;
        let asked: Vec<_> = channels.iter().map(|it| it.expires_at).collect();
        self.send_channels(call, request, (&json!({ "watch": items }), &asked))
            .await
    }

    /// Sends a body with one channel for each of the expiries asked, and compares them with the given.
    async fn send_channels(
        &self,
        call: Call,
        request: ApiRequest<'_>,
        (body, asked): (&Value, &[Option<Timestamp>]),
    ) -> Result<Batch<ChannelGrant>, Error> {
        let request = request.json(body).items("watch");
        let results = self
            .send_items(call, Cost::ONE, &request, Some(asked.len()))
            .await?;
        Ok(results
            .into_iter()
            .zip(asked)
            .map(|(result, asked)| match result {
                Ok(entry) => {
                    ChannelGrant::read(&entry, *asked).map_err(|it| ItemError::of_call(&it))
                }
                Err(error) => Err(error),
            })
            .collect())
    }
}

// Channels enabled, listed, updated and disabled; the test looks at the callbacks that they cause.
"use strict";

const { answer, done, each, insert, parameters, receiver, record, records, run, same, sdk, start } = require("./common.js");

const CHANNEL = "1000000068001";
const DAY = 24 * 60 * 60 * 1000;

function body(values) {
  const channel = new sdk.Notifications.Notification();
  channel.setChannelId(CHANNEL);
  for (const [name, value] of Object.entries(values)) {
    channel[`set${name}`](value);
  }
  const request = new sdk.Notifications.BodyWrapper();
  request.setWatch([channel]);
  return request;
}

function event(details) {
  const events = details[0].get("events");
  same("the number of events", events.length, 1);
  return events[0];
}

run(async () => {
  await start();
  const operations = new sdk.Notifications.NotificationsOperations();
  const leads = new sdk.Record.RecordOperations("Leads");
  const listed = async () =>
    operations.getNotifications(await parameters([sdk.Notifications.GetNotificationsParam.CHANNEL_ID, CHANNEL]));
  const expiry = new Date(Math.floor(Date.now() / 1000) * 1000 + 2 * DAY);

  let request = body({
    Events: ["Leads.all"],
    NotifyUrl: `${receiver}/first?secret=s3`,
    Token: "first token",
    ChannelExpiry: expiry,
    ReturnAffectedFieldValues: true,
    NotifyOnRelatedAction: false,
  });
  let made = event(each(answer(await operations.enableNotifications(request), 201).getWatch()));
  same("the channel", [made.getChannelId(), made.getResourceName()], [CHANNEL, "Leads"]);
  same("the expiry", made.getChannelExpiry(), expiry);
  const [lead] = await insert("Leads", record({ Last_Name: "Marsh", Company: "Reed Ltd" }));
  done("enable", lead);

  let [channel] = answer(await listed(), 200).getWatch();
  same("the events", channel.getEvents().sort(), ["Leads.create", "Leads.delete", "Leads.edit"]);
  same("the token", channel.getToken(), "first token");
  same("the URL", channel.getNotifyUrl(), `${receiver}/first?secret=s3`);
  same("the expiry", channel.getChannelExpiry(), expiry);
  done("list", channel.getEvents());

  const later = new Date(expiry.getTime() + DAY);
  request = body({
    Events: ["Leads.edit"],
    NotifyUrl: `${receiver}/second`,
    Token: "second token",
    ChannelExpiry: later,
  });
  made = event(each(answer(await operations.updateNotifications(request), 200).getWatch()));
  same("the expiry", made.getChannelExpiry(), later);
  each(answer(await operations.updateNotification(body({ Token: "third token" })), 200).getWatch());
  [channel] = answer(await listed(), 200).getWatch();
  const told = [channel.getEvents(), channel.getToken(), channel.getNotifyUrl(), channel.getChannelExpiry()];
  same("the channel", told, [["Leads.edit"], "third token", `${receiver}/second`, later]);
  await insert("Leads", record({ Last_Name: "Unheard", Company: "Reed Ltd" }));
  const change = records(record({ Phone: "555-555-1111" }));
  each(answer(await leads.updateRecord(lead, change, new sdk.HeaderMap()), 200).getData());
  done("update", lead);

  request = body({ Events: ["Leads.create", "Leads.edit"], Token: "third token" });
  each(answer(await operations.updateNotification(request), 200).getWatch());
  request = body({ Events: ["Leads.edit"], DeleteEvents: new sdk.Choice(true) });
  each(answer(await operations.disableNotification(request), 200).getWatch());
  [channel] = answer(await listed(), 200).getWatch();
  same("the events left", channel.getEvents(), ["Leads.create"]);
  done("disable events", channel.getEvents());

  const ids = await parameters([sdk.Notifications.DeleteNotificationParam.CHANNEL_IDS, CHANNEL]);
  each(answer(await operations.deleteNotification(ids), 200).getWatch());
  same("the status of an empty list", (await listed()).getStatusCode(), 204);
  each(answer(await leads.deleteRecord(lead, await parameters(), new sdk.HeaderMap()), 200).getData());
  done("disable", CHANNEL);
});

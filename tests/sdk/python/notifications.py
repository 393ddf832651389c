"""Channels enabled, listed, updated and disabled; the test looks at the callbacks that they cause."""

from datetime import datetime, timedelta, timezone

from common import RECEIVER, answer, done, each, insert, record, same, start
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.notifications import BodyWrapper, Notification, NotificationsOperations
from zohocrmsdk.src.com.zoho.crm.api.notifications.notifications_operations import (
    DeleteNotificationParam,
    GetNotificationsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper as Records, RecordOperations

CHANNEL = "1000000068001"
start()
operations = NotificationsOperations()
expiry = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=2)


def body(**values):
    channel = Notification()
    channel.set_channel_id(CHANNEL)
    for name, value in values.items():
        getattr(channel, f"set_{name}")(value)
    request = BodyWrapper()
    request.set_watch([channel])
    return request


def event(details):
    (one,) = details[0]["events"]
    return one


def listed():
    parameters = ParameterMap()
    parameters.add(GetNotificationsParam.channel_id, int(CHANNEL))
    return operations.get_notifications(parameters)


request = body(
    events=["Leads.all"],
    notify_url=f"{RECEIVER}/first?secret=s3",
    token="first token",
    channel_expiry=expiry,
    return_affected_field_values=True,
    notify_on_related_action=False,
)
made = event(each(answer(operations.enable_notifications(request), 201).get_watch()))
same("the channel", (made.get_channel_id(), made.get_resource_name()), (CHANNEL, "Leads"))
same("the expiry", made.get_channel_expiry(), expiry)
(lead,) = insert("Leads", record(Last_Name="Marsh", Company="Reed Ltd"))
done("enable", str(lead))

(channel,) = answer(listed(), 200).get_watch()
same("the events", sorted(channel.get_events()), ["Leads.create", "Leads.delete", "Leads.edit"])
same("the token", channel.get_token(), "first token")
same("the URL", channel.get_notify_url(), f"{RECEIVER}/first?secret=s3")
same("the expiry", channel.get_channel_expiry(), expiry)
done("list", channel.get_events())

later = expiry + timedelta(days=1)
request = body(
    events=["Leads.edit"], notify_url=f"{RECEIVER}/second", token="second token", channel_expiry=later
)
made = event(each(answer(operations.update_notifications(request), 200).get_watch()))
same("the expiry", made.get_channel_expiry(), later)
request = body(token="third token")
each(answer(operations.update_notification(request), 200).get_watch())
(channel,) = answer(listed(), 200).get_watch()
told = (channel.get_events(), channel.get_token(), channel.get_notify_url(), channel.get_channel_expiry())
same("the channel", told, (["Leads.edit"], "third token", f"{RECEIVER}/second", later))
insert("Leads", record(Last_Name="Unheard", Company="Reed Ltd"))
request = Records()
request.set_data([record(Phone="555-555-1111")])
each(answer(RecordOperations("Leads").update_record(lead, request, HeaderMap()), 200).get_data())
done("update", str(lead))

request = body(events=["Leads.create", "Leads.edit"], token="third token")
each(answer(operations.update_notification(request), 200).get_watch())
request = body(events=["Leads.edit"], delete_events=True)
each(answer(operations.disable_notification(request), 200).get_watch())
(channel,) = answer(listed(), 200).get_watch()
same("the events left", channel.get_events(), ["Leads.create"])
done("disable events", channel.get_events())

parameters = ParameterMap()
parameters.add(DeleteNotificationParam.channel_ids, CHANNEL)
each(answer(operations.delete_notification(parameters), 200).get_watch())
same("the status of an empty list", listed().get_status_code(), 204)
each(answer(RecordOperations("Leads").delete_record(lead, ParameterMap(), HeaderMap()), 200).get_data())
done("disable", CHANNEL)

"""Create, read, list, update and delete, with a value of each type that the SDK converts."""

from datetime import date

from common import answer, done, each, insert, read, record, same, start
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.record.record_operations import DeleteRecordsParam, GetRecordsParam
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

start()
VALUES = {
    "Last_Name": "Sørensen",
    "Company": "Reed & Sons",
    "Annual_Revenue": 1250.5,
    "No_of_Employees": 12,
    "Email_Opt_Out": True,
}

lead, other = insert(
    "Leads",
    record(**VALUES, Lead_Source=Choice("Partner")),
    record(Last_Name="Marsh", Company="Reed & Sons", Rating=Choice("Active")),
)
kept = read("Leads", lead, [*VALUES, "Lead_Source", "Created_By", "Owner"])
same("a choice", kept.pop("Lead_Source").get_value(), "Partner")
same("who made it", kept.pop("Created_By").get_name(), "Rosa Lark")
same("whose it is", kept.pop("Owner").get_email(), "rosa.lark@example.com")
same("the lead", kept, VALUES)

(account,) = insert("Accounts", record(Account_Name="Reed & Sons"))
parent = record()
parent.set_id(account)
(deal,) = insert(
    "Deals",
    record(
        Deal_Name="Greenhouse",
        Stage=Choice("Qualification"),
        Closing_Date=date(2031, 2, 28),
        Account_Name=parent,
    ),
)
kept = read("Deals", deal, ["Closing_Date", "Account_Name"])
same("a date", kept["Closing_Date"], date(2031, 2, 28))
same("a lookup", (kept["Account_Name"].get_id(), kept["Account_Name"].get_key_value("name")), (account, "Reed & Sons"))
done("create", [str(lead), str(other), str(deal)])

request = BodyWrapper()
request.set_data([record(Last_Name="Half", Company="Way"), record(Company="Nameless")])
good, bad = answer(RecordOperations("Leads").create_records(request, HeaderMap()), 207).get_data()
half = int(each([good])[0]["id"])
same("the refusal", (type(bad).__name__, bad.get_code().get_value()), ("APIException", "MANDATORY_NOT_FOUND"))
same("what is missing", bad.get_details()["api_name"], "Last_Name")
done("create in part", bad.get_message().get_value())


def listed(**more):
    parameters = ParameterMap()
    parameters.add(GetRecordsParam.fields, "Last_Name,Company,Modified_Time")
    parameters.add(GetRecordsParam.sort_by, "id")
    parameters.add(GetRecordsParam.sort_order, "asc")
    for name, value in more.items():
        parameters.add(getattr(GetRecordsParam, name), value)
    response = RecordOperations("Leads").get_records(parameters, HeaderMap())
    return response if response.get_status_code() == 204 else answer(response, 200)


page = listed(per_page=2)
same("the first page", [it.get_id() for it in page.get_data()], [lead, other])
same("whether there is more", page.get_info().get_more_records(), True)
token = page.get_info().get_next_page_token()
page = listed(per_page=2, page_token=token)
same("the second page", [it.get_key_value("Last_Name") for it in page.get_data()], ["Half"])
same("whether there is more", page.get_info().get_more_records(), False)
done("list", [str(it.get_id()) for it in page.get_data()])

request = BodyWrapper()
request.set_data([record(Company="Reed Ltd", Annual_Revenue=None)])
each(answer(RecordOperations("Leads").update_record(lead, request, HeaderMap()), 200).get_data())
same("the lead", read("Leads", lead, VALUES), {**VALUES, "Company": "Reed Ltd", "Annual_Revenue": None})
first, second = record(Last_Name="Marsh-Reed"), record(Last_Name="Whole")
first.set_id(other)
second.set_id(half)
request = BodyWrapper()
request.set_data([first, second])
each(answer(RecordOperations("Leads").update_records(request, HeaderMap()), 200).get_data())
names = [it.get_key_value("Last_Name") for it in listed().get_data()]
same("the names", names, ["Sørensen", "Marsh-Reed", "Whole"])
done("update", names)

each(answer(RecordOperations("Leads").delete_record(lead, ParameterMap(), HeaderMap()), 200).get_data())
parameters = ParameterMap()
parameters.add(DeleteRecordsParam.ids, f"{other},{half}")
each(answer(RecordOperations("Leads").delete_records(parameters, HeaderMap()), 200).get_data())
same("the status of an empty list", listed().get_status_code(), 204)
response = RecordOperations("Leads").get_deleted_records(ParameterMap(), HeaderMap())
gone = [it.get_id() for it in answer(response, 200).get_data()]
same("the deleted records", sorted(gone), sorted([lead, other, half]))
done("delete", len(gone))

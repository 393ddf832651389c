"""COQL and search."""

import time
from datetime import date

from common import answer, done, insert, record, same, start
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper, CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.record import RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.record.record_operations import SearchRecordsParam
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

# A record just written need not be found yet.
SEARCH_SECONDS = 30
start()


def query(text):
    request = BodyWrapper()
    request.set_select_query(text)
    return CoqlOperations().get_records(request)


(account,) = insert("Accounts", record(Account_Name="O'Neil (Gardens)"))
parent = record()
parent.set_id(account)
insert(
    "Deals",
    *[
        record(
            Deal_Name=name,
            Stage=Choice("Qualification"),
            Amount=amount,
            Closing_Date=date(2031, 2, day),
            Account_Name=parent,
        )
        for day, (name, amount) in enumerate([("Hedge", 100.0), ("Pond", 250.5), ("Shed", 400.0)], start=1)
    ],
)
found = answer(
    query(
        "select Deal_Name, Amount, Account_Name.Account_Name from Deals "
        r"where (Account_Name.Account_Name = 'O\'Neil (Gardens)' and Amount > 200) order by Amount desc limit 0, 1"
    ),
    200,
)
same("whether there is more", found.get_info().get_more_records(), True)
rows = [(it.get_key_value("Deal_Name"), it.get_key_value("Account_Name.Account_Name")) for it in found.get_data()]
same("the rows", rows, [("Shed", "O'Neil (Gardens)")])
(row,) = answer(query("select COUNT(id), SUM(Amount) from Deals where Deal_Name is not null"), 200).get_data()
same("the aggregates", (row.get_key_value("COUNT(id)"), row.get_key_value("SUM(Amount)")), (3, 750.5))
same("the status of nothing", query("select id from Deals where Amount > 1000").get_status_code(), 204)
refused = query("select id from Deals where").get_object()
same("the refusal", (type(refused).__name__, refused.get_code().get_value()), ("APIException", "SYNTAX_ERROR"))
done("coql", rows)


def search(**by):
    """Searches until something is found, since the index lags behind."""
    parameters = ParameterMap()
    parameters.add(SearchRecordsParam.fields, "Last_Name,Email")
    for name, value in by.items():
        parameters.add(getattr(SearchRecordsParam, name), value)
    end = time.monotonic() + SEARCH_SECONDS
    while True:
        response = RecordOperations("Leads").search_records(parameters, HeaderMap())
        if response.get_status_code() != 204 or time.monotonic() > end:
            return [it.get_key_value("Last_Name") for it in answer(response, 200).get_data()]
        time.sleep(0.1)


insert(
    "Leads",
    record(Last_Name="Marsh", Company="Reed (North), Ltd", Email="marsh@example.com", Phone="555-555-1111"),
    record(Last_Name="Reed", Company="Reed (North), Ltd", Email="reed@example.com"),
)
same("by e-mail", search(email="reed@example.com"), ["Reed"])
same("by phone", search(phone="555-555-1111"), ["Marsh"])
same("by word", search(word="marsh@example.com"), ["Marsh"])
both = search(criteria=r"((Company:equals:Reed \(North\)\, Ltd)and(Last_Name:starts_with:Mar))")
same("by criteria", both, ["Marsh"])
done("search", both)

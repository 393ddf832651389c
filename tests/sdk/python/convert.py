"""The conversion of a lead to a contact, an account and a deal."""

from common import answer, done, each, insert, read, record, same, start
from zohocrmsdk.src.com.zoho.crm.api.convert_lead import BodyWrapper, ConvertLeadOperations, LeadConverter
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

start()
(lead,) = insert("Leads", record(First_Name="Ada", Last_Name="Marsh", Company="Reed Ltd", Email="ada@example.com"))
deal = record(Deal_Name="Hedge", Stage=Choice("Qualification"), Amount=1500.0)
converter = LeadConverter()
converter.set_overwrite(False)
converter.set_notify_lead_owner(False)
converter.set_deals(deal)
request = BodyWrapper()
request.set_data([converter])
(details,) = each(answer(ConvertLeadOperations(lead).convert_lead(request), 200).get_data())
contact = read("Contacts", details["Contacts"].get_id(), ["Last_Name", "Email", "Account_Name"])
same("the contact", (contact["Last_Name"], contact["Email"]), ("Marsh", "ada@example.com"))
same("its account", contact["Account_Name"].get_id(), details["Accounts"].get_id())
account = read("Accounts", details["Accounts"].get_id(), ["Account_Name"])
same("the account", account, {"Account_Name": "Reed Ltd"})
deal = read("Deals", details["Deals"].get_id(), ["Deal_Name", "Amount", "Contact_Name"])
same("the deal", (deal["Deal_Name"], deal["Amount"]), ("Hedge", 1500.0))
same("its contact", deal["Contact_Name"].get_id(), details["Contacts"].get_id())
again = ConvertLeadOperations(lead).convert_lead(request).get_object()
refused = again if hasattr(again, "get_code") else again.get_data()[0]
same("the refusal", (type(refused).__name__, refused.get_code().get_value()), ("APIException", "ID_ALREADY_CONVERTED"))
done("convert", str(details["Contacts"].get_id()))

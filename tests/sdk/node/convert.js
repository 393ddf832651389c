// The conversion of a lead to a contact, an account and a deal.
"use strict";

const { answer, done, each, insert, read, record, run, same, sdk, start } = require("./common.js");

run(async () => {
  await start();
  const ada = { First_Name: "Ada", Last_Name: "Marsh", Company: "Reed Ltd", Email: "ada@example.com" };
  const [lead] = await insert("Leads", record(ada));
  const converter = new sdk.ConvertLead.LeadConverter();
  converter.setOverwrite(false);
  converter.setNotifyLeadOwner(false);
  await converter.setDeals(record({ Deal_Name: "Hedge", Stage: new sdk.Choice("Qualification"), Amount: 1500.0 }));
  const request = new sdk.ConvertLead.BodyWrapper();
  request.setData([converter]);
  const operations = new sdk.ConvertLead.ConvertLeadOperations(lead);
  const [details] = each(answer(await operations.convertLead(request), 200).getData());
  const ids = Object.fromEntries(["Contacts", "Accounts", "Deals"].map((name) => [name, details.get(name).getId()]));
  const contact = await read("Contacts", ids.Contacts, ["Last_Name", "Email", "Account_Name"]);
  same("the contact", [contact.Last_Name, contact.Email], ["Marsh", "ada@example.com"]);
  same("its account", contact.Account_Name.getId(), ids.Accounts);
  const account = await read("Accounts", ids.Accounts, ["Account_Name"]);
  same("the account", account, { Account_Name: "Reed Ltd" });
  const deal = await read("Deals", ids.Deals, ["Deal_Name", "Amount", "Contact_Name"]);
  same("the deal", [deal.Deal_Name, deal.Amount], ["Hedge", 1500.0]);
  same("its contact", deal.Contact_Name.getId(), ids.Contacts);
  const again = (await operations.convertLead(request)).getObject();
  const refused = again.getData ? again.getData()[0] : again;
  const told = [refused.constructor.name, refused.getCode().getValue()];
  same("the refusal", told, ["APIException", "ID_ALREADY_CONVERTED"]);
  done("convert", ids.Contacts);
});

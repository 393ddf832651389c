// COQL and search.
"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { answer, done, insert, parameters, record, run, same, sdk, start } = require("./common.js");

// A record just written need not be found yet.
const SEARCH_MS = 30_000;

function query(text) {
  const request = new sdk.Coql.BodyWrapper();
  request.setSelectQuery(text);
  return new sdk.Coql.CoqlOperations().getRecords(request);
}

async function coql() {
  const [account] = await insert("Accounts", record({ Account_Name: "O'Neil (Gardens)" }));
  const parent = record({});
  parent.setId(account);
  const deals = [["Hedge", 100.0], ["Pond", 250.5], ["Shed", 400.0]].map(([name, amount]) =>
    record({
      Deal_Name: name,
      Stage: new sdk.Choice("Qualification"),
      Amount: amount,
      Closing_Date: new Date("2031-02-01"),
      Account_Name: parent,
    }),
  );
  await insert("Deals", ...deals);
  const found = answer(
    await query(
      "select Deal_Name, Amount, Account_Name.Account_Name from Deals " +
        "where (Account_Name.Account_Name = 'O\\'Neil (Gardens)' and Amount > 200) order by Amount desc limit 0, 1",
    ),
    200,
  );
  same("whether there is more", found.getInfo().getMoreRecords(), true);
  const values = ["Deal_Name", "Account_Name.Account_Name"];
  const rows = found.getData().map((it) => values.map((name) => it.getKeyValue(name)));
  same("the rows", rows, [["Shed", "O'Neil (Gardens)"]]);
  const sums = answer(await query("select COUNT(id), SUM(Amount) from Deals where Deal_Name is not null"), 200);
  const sum = ["COUNT(id)", "SUM(Amount)"].map((name) => sums.getData()[0].getKeyValue(name));
  same("the aggregates", sum, [3, 750.5]);
  same("the status of nothing", (await query("select id from Deals where Amount > 1000")).getStatusCode(), 204);
  const refused = (await query("select id from Deals where")).getObject();
  same("the refusal", [refused.constructor.name, refused.getCode().getValue()], ["APIException", "SYNTAX_ERROR"]);
  done("coql", rows);
}

// Searches until something is found, since the index lags behind.
async function find(parameter, value) {
  const fields = [sdk.Record.SearchRecordsParam.FIELDS, "Last_Name,Email"];
  const wanted = await parameters(fields, [sdk.Record.SearchRecordsParam[parameter], value]);
  const end = Date.now() + SEARCH_MS;
  for (;;) {
    const response = await new sdk.Record.RecordOperations("Leads").searchRecords(wanted, new sdk.HeaderMap());
    if (response.getStatusCode() !== 204 || Date.now() > end) {
      return answer(response, 200).getData().map((it) => it.getKeyValue("Last_Name"));
    }
    await sleep(100);
  }
}

async function search() {
  const company = "Reed (North), Ltd";
  await insert(
    "Leads",
    record({ Last_Name: "Marsh", Company: company, Email: "marsh@example.com", Phone: "555-555-1111" }),
    record({ Last_Name: "Reed", Company: company, Email: "reed@example.com" }),
  );
  same("by e-mail", await find("EMAIL", "reed@example.com"), ["Reed"]);
  same("by phone", await find("PHONE", "555-555-1111"), ["Marsh"]);
  same("by word", await find("WORD", "marsh@example.com"), ["Marsh"]);
  const criteria = "((Company:equals:Reed \\(North\\)\\, Ltd)and(Last_Name:starts_with:Mar))";
  const both = await find("CRITERIA", criteria);
  same("by criteria", both, ["Marsh"]);
  done("search", both);
}

run(async () => {
  await start();
  await coql();
  await search();
});

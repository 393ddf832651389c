"""A bulk read: job created, polled to its end, result downloaded and unzipped."""

import csv
import io
import time
import zipfile

from common import RECEIVER, answer, done, each, insert, record, same, start
from zohocrmsdk.src.com.zoho.crm.api.bulk_read import BodyWrapper, BulkReadOperations, CallBack, Criteria, Query
from zohocrmsdk.src.com.zoho.crm.api.fields import MinifiedField
from zohocrmsdk.src.com.zoho.crm.api.modules import MinifiedModule
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

# A job takes time.
JOB_SECONDS = 60
start()
ids = insert(
    "Leads",
    *[record(Last_Name=f'Lead "{at}",\nno. {at}', Company="Reed Ltd" if at % 2 else "Marsh Ltd") for at in range(100)],
)

field = MinifiedField()
field.set_api_name("Company")
criteria = Criteria()
criteria.set_field(field)
criteria.set_comparator(Choice("equal"))
criteria.set_value("Reed Ltd")
module = MinifiedModule()
module.set_api_name("Leads")
query = Query()
query.set_module(module)
query.set_fields(["Last_Name", "Company"])
query.set_criteria(criteria)
callback = CallBack()
callback.set_url(f"{RECEIVER}/bulk?secret=s3")
callback.set_method(Choice("post"))
request = BodyWrapper()
request.set_query(query)
request.set_callback(callback)
request.set_file_type("csv")

operations = BulkReadOperations()
(made,) = each(answer(operations.create_bulk_read_job(request), 201).get_data(), "ADDED_SUCCESSFULLY")
job = int(made["id"])
same("the state", made["state"].get_value(), "ADDED")
done("bulk read create", str(job))

end = time.monotonic() + JOB_SECONDS
while True:
    (detail,) = answer(operations.get_bulk_read_job_details(job), 200).get_data()
    if detail.get_state().get_value() in ("COMPLETED", "FAILURE") or time.monotonic() > end:
        break
    time.sleep(0.2)
same("the state", detail.get_state().get_value(), "COMPLETED")
result = detail.get_result()
same("the result", (result.get_count(), result.get_page(), result.get_more_records()), (50, 1, False))
if not result.get_download_url().endswith(f"/read/{job}/result"):
    raise AssertionError(result.get_download_url())
done("bulk read poll", result.get_count())

stream = answer(operations.download_result(job), 200).get_file()
with zipfile.ZipFile(io.BytesIO(stream.get_stream().content)) as archive:
    (name,) = archive.namelist()
    rows = list(csv.DictReader(io.StringIO(archive.read(name).decode(), newline="")))
expected = [
    {"Id": str(lead), "Last_Name": f'Lead "{at}",\nno. {at}', "Company": "Reed Ltd"}
    for at, lead in enumerate(ids)
    if at % 2
]
same("the rows", sorted(rows, key=lambda it: int(it["Id"])), expected)
done("bulk read download", [name, len(rows)])

"""A bulk write: rows uploaded, job created, polled to its end, result downloaded and unzipped."""

import csv
import io
import time
import zipfile

from common import RECEIVER, answer, done, insert, read, record, same, start
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap
from zohocrmsdk.src.com.zoho.crm.api.bulk_write import (
    BulkWriteOperations,
    CallBack,
    FieldMapping,
    FileBodyWrapper,
    RequestWrapper,
    Resource,
)
from zohocrmsdk.src.com.zoho.crm.api.bulk_write.bulk_write_operations import UploadFileHeader
from zohocrmsdk.src.com.zoho.crm.api.modules import MinifiedModule
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.util import Choice, StreamWrapper

# A job takes time.
JOB_SECONDS = 60
start()
(known,) = insert("Contacts", record(Last_Name="Marsh", Email="marsh@example.com"))
(org,) = answer(OrgOperations().get_organization(), 200).get_org()

rows = io.StringIO()
writer = csv.writer(rows)
writer.writerow(["Email", "Last name", "Phone"])
writer.writerow(["marsh@example.com", 'Marsh "Reed"', "555-555-1111"])
writer.writerow(["sedge@example.com", "Sedge, née Carr", "555-555-2222"])
writer.writerow(["fen@example.com", "", ""])
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
    packed.writestr("contacts.csv", rows.getvalue())
archive.seek(0)
file = FileBodyWrapper()
file.set_file(StreamWrapper(name="contacts.zip", stream=archive))
headers = HeaderMap()
headers.add(UploadFileHeader.feature, "bulk-write")
headers.add(UploadFileHeader.x_crm_org, org.get_zgid())
operations = BulkWriteOperations()
uploaded = answer(operations.upload_file(file, headers), 200)
same("the upload", uploaded.get_code().get_value(), "FILE_UPLOAD_SUCCESS")
# The SDK makes a number of it.
file_id = str(uploaded.get_details()["file_id"])
done("bulk write upload", file_id)

module = MinifiedModule()
module.set_api_name("Contacts")
mappings = []
for at, name in enumerate(["Email", "Last_Name", "Phone"]):
    mapping = FieldMapping()
    mapping.set_api_name(name)
    mapping.set_index(at)
    mappings.append(mapping)
resource = Resource()
resource.set_type(Choice("data"))
resource.set_module(module)
resource.set_file_id(file_id)
resource.set_find_by("Email")
resource.set_field_mappings(mappings)
callback = CallBack()
callback.set_url(f"{RECEIVER}/bulk?secret=s3")
callback.set_method(Choice("post"))
request = RequestWrapper()
request.set_operation(Choice("upsert"))
request.set_callback(callback)
request.set_resource([resource])
made = answer(operations.create_bulk_write_job(request), 201)
same("the answer", made.get_code().get_value(), "SUCCESS")
job = str(made.get_details()["id"])
done("bulk write create", job)

end = time.monotonic() + JOB_SECONDS
while True:
    detail = answer(operations.get_bulk_write_job_details(job), 200)
    if detail.get_status() in ("COMPLETED", "FAILED") or time.monotonic() > end:
        break
    time.sleep(0.2)
same("the status", detail.get_status(), "COMPLETED")
(told,) = detail.get_resource()
counted = told.get_file()
same("the module", told.get_module().get_api_name(), "Contacts")
same(
    "the counts",
    (counted.get_added_count(), counted.get_updated_count(), counted.get_skipped_count(), counted.get_total_count()),
    (1, 1, 1, 3),
)
done("bulk write poll", counted.get_total_count())

download = answer(operations.download_bulk_write_result(detail.get_result().get_download_url()), 200)
with zipfile.ZipFile(io.BytesIO(download.get_file().get_stream().content)) as packed:
    (name,) = packed.namelist()
    told = list(csv.DictReader(io.TextIOWrapper(packed.open(name), encoding="utf-8")))
same("the statuses", [it["STATUS"] for it in told], ["UPDATED", "ADDED", "SKIPPED"])
same("the errors", told[2]["ERRORS"], "MANDATORY_NOT_FOUND-Last name")
same("the updated one", told[0]["RECORD_ID"], str(known))
added = read("Contacts", int(told[1]["RECORD_ID"]), ["Last_Name", "Phone"])
same("the added one", added, {"Last_Name": "Sedge, née Carr", "Phone": "555-555-2222"})
done("bulk write download", [name, len(told)])

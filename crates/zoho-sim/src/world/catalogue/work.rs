//! Tasks, Events, Calls, Cases, Solutions, Notes.

use super::super::module::{
    DataType::{
        AutoNumber, Boolean, Date, DateTime, Email, Integer, Lookup, Phone, Text, TextArea,
    },
    Definition, ModuleDefinition,
};

const PRIORITIES: &[&str] = &["High", "Highest", "Low", "Lowest", "Normal"];

/// The modules of daily work.
pub(super) const MODULES: &[ModuleDefinition] = &[
    ModuleDefinition {
        name: "Tasks",
        singular: "Task",
        name_field: "Subject",
        duplicate_check: "",
        watchable: true,
        fields: TASKS,
    },
    ModuleDefinition {
        name: "Events",
        singular: "Meeting",
        name_field: "Event_Title",
        duplicate_check: "",
        watchable: true,
        fields: EVENTS,
    },
    ModuleDefinition {
        name: "Calls",
        singular: "Call",
        name_field: "Subject",
        duplicate_check: "",
        watchable: true,
        fields: CALLS,
    },
    ModuleDefinition {
        name: "Cases",
        singular: "Case",
        name_field: "Subject",
        duplicate_check: "Subject",
        watchable: true,
        fields: CASES,
    },
    ModuleDefinition {
        name: "Solutions",
        singular: "Solution",
        name_field: "Solution_Title",
        duplicate_check: "Solution_Title",
        watchable: true,
        fields: SOLUTIONS,
    },
    ModuleDefinition {
        name: "Notes",
        singular: "Note",
        name_field: "Note_Title",
        duplicate_check: "",
        watchable: false,
        fields: NOTES,
    },
];

const TASKS: &[Definition] = &[
    Definition::new("Subject", Text).mandatory(),
    Definition::new("Due_Date", Date),
    Definition::new("Closed_Time", DateTime).read_only(),
    Definition::choice("Priority", PRIORITIES),
    Definition::choice(
        "Status",
        &[
            "Not Started",
            "Deferred",
            "In Progress",
            "Completed",
            "Waiting for input",
        ],
    ),
    Definition::lookup("Who_Id", "Contacts"),
    Definition::lookup("What_Id", "Accounts"),
    Definition::new("Send_Notification_Email", Boolean),
    Definition::new("Description", TextArea),
];

const EVENTS: &[Definition] = &[
    Definition::new("Event_Title", Text).mandatory(),
    Definition::new("Start_DateTime", DateTime).mandatory(),
    Definition::new("End_DateTime", DateTime).mandatory(),
    Definition::new("All_day", Boolean),
    Definition::new("Venue", Text),
    Definition::lookup("Who_Id", "Contacts"),
    Definition::lookup("What_Id", "Accounts"),
    Definition::new("Check_In_Status", Text),
    Definition::new("Description", TextArea),
];

const CALLS: &[Definition] = &[
    Definition::new("Subject", Text).mandatory(),
    Definition::choice("Call_Type", &["Outbound", "Inbound", "Missed"]).mandatory(),
    Definition::new("Call_Start_Time", DateTime).mandatory(),
    Definition::new("Call_Duration", Text),
    Definition::new("Call_Duration_in_seconds", Integer),
    Definition::choice(
        "Call_Purpose",
        &["Prospecting", "Administrative", "Demo", "Desk"],
    ),
    Definition::choice(
        "Call_Result",
        &["Interested", "Not interested", "No response/Busy"],
    ),
    Definition::lookup("Who_Id", "Contacts"),
    Definition::lookup("What_Id", "Accounts"),
    Definition::new("Description", TextArea),
];

const CASES: &[Definition] = &[
    Definition::new("Case_Number", AutoNumber).read_only(),
    Definition::new("Subject", Text).mandatory(),
    Definition::choice("Status", &["New", "On Hold", "Escalated", "Closed"]).mandatory(),
    Definition::choice("Case_Origin", &["Email", "Phone", "Web", "Twitter"]).mandatory(),
    Definition::choice("Priority", PRIORITIES),
    Definition::choice("Type", &["Problem", "Feature Request", "Question"]),
    Definition::choice(
        "Case_Reason",
        &["User did not attend any training", "Complex functionality"],
    ),
    Definition::lookup("Account_Name", "Accounts"),
    Definition::lookup("Deal_Name", "Deals"),
    Definition::lookup("Related_To", "Contacts"),
    Definition::lookup("Product_Name", "Products"),
    Definition::new("Email", Email),
    Definition::new("Phone", Phone),
    Definition::new("Reported_By", Text),
    Definition::new("Internal_Comments", TextArea),
    Definition::new("Solution", TextArea),
    Definition::new("Description", TextArea),
];

const SOLUTIONS: &[Definition] = &[
    Definition::new("Solution_Number", AutoNumber).read_only(),
    Definition::new("Solution_Title", Text).mandatory(),
    Definition::choice("Status", &["Draft", "Reviewed", "Duplicate"]),
    Definition::lookup("Product_Name", "Products"),
    Definition::new("Published", Boolean),
    Definition::new("Question", TextArea),
    Definition::new("Answer", TextArea),
];

const NOTES: &[Definition] = &[
    Definition::new("Note_Title", Text),
    Definition::new("Note_Content", TextArea).mandatory(),
    // Of any module.
    Definition::new("Parent_Id", Lookup).mandatory(),
];

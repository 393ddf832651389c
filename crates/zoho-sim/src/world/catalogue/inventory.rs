//! Products, Vendors, `Price_Books`, Quotes, `Sales_Orders`, `Purchase_Orders`, Invoices.

use super::super::module::{
    DataType::{
        AutoNumber, Boolean, Currency, Date, Double, Email, Phone, Subform, Text, TextArea, Website,
    },
    Definition, ModuleDefinition,
};

const CARRIERS: &[&str] = &["FedEX", "UPS", "USPS", "DHL", "BlueDart"];

/// The modules of stock and paper.
pub(super) const MODULES: &[ModuleDefinition] = &[
    ModuleDefinition {
        name: "Products",
        singular: "Product",
        name_field: "Product_Name",
        duplicate_check: "Product_Name",
        watchable: true,
        fields: PRODUCTS,
    },
    ModuleDefinition {
        name: "Vendors",
        singular: "Vendor",
        name_field: "Vendor_Name",
        duplicate_check: "Vendor_Name",
        watchable: true,
        fields: VENDORS,
    },
    ModuleDefinition {
        name: "Price_Books",
        singular: "Price Book",
        name_field: "Price_Book_Name",
        duplicate_check: "Price_Book_Name",
        watchable: true,
        fields: PRICE_BOOKS,
    },
    ModuleDefinition {
        name: "Quotes",
        singular: "Quote",
        name_field: "Subject",
        duplicate_check: "Subject",
        watchable: true,
        fields: QUOTES,
    },
    ModuleDefinition {
        name: "Sales_Orders",
        singular: "Sales Order",
        name_field: "Subject",
        duplicate_check: "Subject",
        watchable: true,
        fields: SALES_ORDERS,
    },
    ModuleDefinition {
        name: "Purchase_Orders",
        singular: "Purchase Order",
        name_field: "Subject",
        duplicate_check: "Subject",
        watchable: true,
        fields: PURCHASE_ORDERS,
    },
    ModuleDefinition {
        name: "Invoices",
        singular: "Invoice",
        name_field: "Subject",
        duplicate_check: "Subject",
        watchable: true,
        fields: INVOICES,
    },
];

const PRODUCTS: &[Definition] = &[
    Definition::new("Product_Name", Text).mandatory(),
    Definition::new("Product_Code", Text).unique(),
    Definition::choice(
        "Product_Category",
        &["Hardware", "Software", "CRM Applications"],
    ),
    Definition::lookup("Vendor_Name", "Vendors"),
    Definition::new("Product_Active", Boolean),
    Definition::new("Manufacturer", Text),
    Definition::new("Unit_Price", Currency),
    Definition::new("Commission_Rate", Currency),
    Definition::new("Taxable", Boolean),
    Definition::choice("Usage_Unit", &["Box", "Carton", "Dozen", "Each", "Hours"]),
    Definition::new("Qty_in_Stock", Double),
    Definition::new("Qty_Ordered", Double),
    Definition::new("Reorder_Level", Double),
    Definition::new("Sales_Start_Date", Date),
    Definition::new("Sales_End_Date", Date),
    Definition::new("Description", TextArea),
];

const VENDORS: &[Definition] = &[
    Definition::new("Vendor_Name", Text).mandatory(),
    Definition::new("Email", Email),
    Definition::new("Phone", Phone),
    Definition::new("Website", Website),
    Definition::choice(
        "GL_Account",
        &["Sales-Software", "Sales-Hardware", "Rental Income"],
    ),
    Definition::new("Category", Text),
    Definition::new("Street", Text),
    Definition::new("City", Text),
    Definition::new("State", Text),
    Definition::new("Zip_Code", Text),
    Definition::new("Country", Text),
    Definition::new("Description", TextArea),
];

const PRICE_BOOKS: &[Definition] = &[
    Definition::new("Price_Book_Name", Text).mandatory(),
    Definition::choice("Pricing_Model", &["Flat", "Differential"]),
    Definition::new("Active", Boolean),
    Definition::new("Description", TextArea),
];

const QUOTES: &[Definition] = &[
    Definition::new("Quote_Number", AutoNumber).read_only(),
    Definition::new("Subject", Text).mandatory(),
    Definition::lookup("Account_Name", "Accounts"),
    Definition::lookup("Contact_Name", "Contacts"),
    Definition::lookup("Deal_Name", "Deals"),
    Definition::choice(
        "Quote_Stage",
        &["Draft", "Negotiation", "Delivered", "On Hold", "Confirmed"],
    ),
    Definition::new("Valid_Till", Date),
    Definition::choice("Carrier", CARRIERS),
    Definition::new("Team", Text),
    Definition::new("Sub_Total", Currency).read_only(),
    Definition::new("Discount", Currency),
    Definition::new("Tax", Currency),
    Definition::new("Adjustment", Currency),
    Definition::new("Grand_Total", Currency).read_only(),
    Definition::new("Quoted_Items", Subform),
    Definition::new("Terms_and_Conditions", TextArea),
    Definition::new("Description", TextArea),
];

const SALES_ORDERS: &[Definition] = &[
    Definition::new("SO_Number", AutoNumber).read_only(),
    Definition::new("Subject", Text).mandatory(),
    Definition::lookup("Account_Name", "Accounts"),
    Definition::lookup("Contact_Name", "Contacts"),
    Definition::lookup("Deal_Name", "Deals"),
    Definition::lookup("Quote_Name", "Quotes"),
    Definition::choice("Status", &["Created", "Approved", "Delivered", "Cancelled"]),
    Definition::new("Customer_No", Text),
    Definition::new("Purchase_Order", Text),
    Definition::new("Due_Date", Date),
    Definition::new("Pending", Text),
    Definition::choice("Carrier", CARRIERS),
    Definition::new("Excise_Duty", Currency),
    Definition::new("Sub_Total", Currency).read_only(),
    Definition::new("Grand_Total", Currency).read_only(),
    Definition::new("Ordered_Items", Subform),
    Definition::new("Description", TextArea),
];

const PURCHASE_ORDERS: &[Definition] = &[
    Definition::new("PO_Number", Text),
    Definition::new("Subject", Text).mandatory(),
    Definition::lookup("Vendor_Name", "Vendors"),
    Definition::lookup("Contact_Name", "Contacts"),
    Definition::choice("Status", &["Created", "Approved", "Delivered", "Cancelled"]),
    Definition::new("PO_Date", Date),
    Definition::new("Due_Date", Date),
    Definition::choice("Carrier", CARRIERS),
    Definition::new("Sub_Total", Currency).read_only(),
    Definition::new("Grand_Total", Currency).read_only(),
    Definition::new("Purchase_Items", Subform),
    Definition::new("Description", TextArea),
];

const INVOICES: &[Definition] = &[
    Definition::new("Invoice_Number", AutoNumber).read_only(),
    Definition::new("Subject", Text).mandatory(),
    Definition::lookup("Account_Name", "Accounts"),
    Definition::lookup("Contact_Name", "Contacts"),
    Definition::lookup("Deal_Name__s", "Deals"),
    Definition::lookup("Sales_Order", "Sales_Orders"),
    Definition::choice("Status", &["Created", "Approved", "Delivered", "Cancelled"]),
    Definition::new("Invoice_Date", Date),
    Definition::new("Due_Date", Date),
    Definition::new("Purchase_Order", Text),
    Definition::new("Sub_Total", Currency).read_only(),
    Definition::new("Grand_Total", Currency).read_only(),
    Definition::new("Invoiced_Items", Subform),
    Definition::new("Description", TextArea),
];

//! What is answered to Zoho.

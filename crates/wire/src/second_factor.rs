//! The second factor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Hidden;

/// The body of `POST /authentication/otp/initialize`. Nothing at all is fine as well.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({})))]
pub struct InitializeOtp {
    /// The user's password, for RADIUS servers that want it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password)]
    pub user_password: Option<Hidden>,
}

/// What a client shows while the answer is typed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum InputType {
    /// Nothing of it.
    Masked,
    /// Digits.
    Numeric,
    /// The text.
    Text,
}

/// What comes next.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type")]
pub enum InitializeOtpResponse {
    /// A code of the authenticator that was set up before.
    #[schema(examples(json!({ "type": "AlreadySeeded", "inputType": "Numeric" })))]
    #[serde(rename_all = "camelCase")]
    AlreadySeeded {
        /// How to show the answer.
        input_type: InputType,
    },
    /// Set up an authenticator with this seed, then a code of it.
    #[schema(examples(json!({
        "type": "Secret",
        "inputType": "Numeric",
        "secret": "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT",
        "otpAuthUrl": "otpauth://totp/alice@local@mfa.example.com?secret=AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&issuer=Vestibule",
        "barcode": "/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="
    })))]
    #[serde(rename_all = "camelCase")]
    Secret {
        /// How to show the answer.
        input_type: InputType,
        /// The seed in base32.
        #[schema(value_type = String)]
        secret: Hidden,
        /// What the barcode holds.
        #[schema(value_type = String)]
        otp_auth_url: Hidden,
        /// A JPEG in base64.
        #[schema(value_type = String)]
        barcode: Hidden,
    },
    /// An answer to a RADIUS server.
    #[schema(examples(json!({
        "type": "Challenge",
        "inputType": "Masked",
        "responseMessage": "Enter the code that was sent to you",
        "state": "AAECAwQFBgcICQoLDA0ODw==",
        "timeout": 6
    })))]
    #[serde(rename_all = "camelCase")]
    Challenge {
        /// How to show the answer.
        input_type: InputType,
        /// What the server asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response_message: Option<String>,
        /// To be sent with the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        state: Option<Hidden>,
        /// For how long the server may take, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<u32>,
    },
    /// An approval elsewhere, which any answer starts.
    #[schema(examples(json!({
        "type": "Push",
        "inputType": "Masked",
        "timeout": 60,
        "sendPassword": false
    })))]
    #[serde(rename_all = "camelCase")]
    Push {
        /// How to show the answer.
        input_type: InputType,
        /// For how long the approval may take, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<u32>,
        /// Whether the answer must be the user's password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        send_password: Option<bool>,
    },
}

/// The body of `POST /authentication/otp`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(examples(json!({ "otp": "123456" })))]
pub struct FinishOtp {
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, value_type = Option<String>, min_length = 1, max_length = 256)]
    pub otp: Option<Hidden>,
    /// The state of the challenge, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<Hidden>,
}

//! The second factor.

use serde::{Deserialize, Serialize};

use crate::Hidden;

/// The body of `POST /authentication/otp/initialize`. Nothing at all is fine as well.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InitializeOtp {
    /// The user's password, for RADIUS servers that want it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_password: Option<Hidden>,
}

/// What a client shows while the answer is typed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum InputType {
    /// Nothing of it.
    Masked,
    /// Digits.
    Numeric,
    /// The text.
    Text,
}

/// What comes next.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all_fields = "camelCase", tag = "type")]
pub enum InitializeOtpResponse {
    /// A code of the authenticator that was set up before.
    AlreadySeeded {
        /// How to show the answer.
        input_type: InputType,
    },
    /// Set up an authenticator with this seed, then a code of it.
    Secret {
        /// How to show the answer.
        input_type: InputType,
        /// The seed in base32.
        secret: Hidden,
        /// What the barcode holds.
        otp_auth_url: Hidden,
        /// A JPEG in base64.
        barcode: Hidden,
    },
    /// An answer to a RADIUS server.
    Challenge {
        /// How to show the answer.
        input_type: InputType,
        /// What the server asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response_message: Option<String>,
        /// To be sent with the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<Hidden>,
        /// For how long the server may take, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<u32>,
    },
    /// An approval elsewhere, which any answer starts.
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
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct FinishOtp {
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otp: Option<Hidden>,
    /// The state of the challenge, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Hidden>,
}

//! The words of the trail: events, outcomes, kinds of objects and details.

use crate::privilege::words;

words! {
    /// What was done, or tried.
    Event {
        SignIn = "signIn",
        PasswordLocked = "passwordLocked",
        SecondFactorBegun = "secondFactorBegun",
        SecondFactor = "secondFactor",
        GuessesWait = "guessesWait",
        GuessesClosed = "guessesClosed",
        PushStarted = "pushStarted",
        PushEnded = "pushEnded",
        SeedShown = "seedShown",
        SeedVerified = "seedVerified",
        SeedReset = "seedReset",
        Admission = "admission",
        Logout = "logout",
        UserCreated = "userCreated",
        UserReplaced = "userReplaced",
        UserDeleted = "userDeleted",
        PasswordSet = "passwordSet",
        UserDisabled = "userDisabled",
        UserEnabled = "userEnabled",
        UserUnlocked = "userUnlocked",
        UserExempted = "userExempted",
        MfaProviderCreated = "mfaProviderCreated",
        MfaProviderReplaced = "mfaProviderReplaced",
        MfaProviderDeleted = "mfaProviderDeleted",
        MfaProviderTested = "mfaProviderTested",
        AdministrativeRoleCreated = "administrativeRoleCreated",
        AdministrativeRoleReplaced = "administrativeRoleReplaced",
        AdministrativeRoleDeleted = "administrativeRoleDeleted",
        IdentityProviderReplaced = "identityProviderReplaced",
        AdminMfaReplaced = "adminMfaReplaced",
        MasterKeyReplaced = "masterKeyReplaced",
        MasterKeyRetired = "masterKeyRetired",
        DatabaseRestored = "databaseRestored",
        AccessDenied = "accessDenied",
        TokenRefused = "tokenRefused",
    }
}

words! {
    /// How it ended.
    Outcome {
        Success = "success", Failure = "failure", Denied = "denied", Error = "error",
    }
}

words! {
    /// What something was done to.
    ObjectKind {
        User = "user", MfaProvider = "mfaProvider", IdentityProvider = "identityProvider",
        AdminMfa = "adminMfa", AdministrativeRole = "administrativeRole",
        MasterKey = "masterKey", Backup = "backup",
    }
}

words! {
    /// What else is said.
    Detail {
        Step = "step",
        LastStep = "lastStep",
        Offset = "offset",
        Streak = "streak",
        WaitingUntil = "waitingUntil",
        Failures30Days = "failures30Days",
        Closed = "closed",
        PasswordFailures = "passwordFailures",
        LockedUntil = "lockedUntil",
        KnownDevice = "knownDevice",
        SecondFactorDue = "secondFactorDue",
        Token = "token",
        TokenEnded = "tokenEnded",
        Provider = "provider",
        Mode = "mode",
        Server = "server",
        Reply = "reply",
        ReplyMessage = "replyMessage",
        Push = "push",
        Privilege = "privilege",
        Target = "target",
        Until = "until",
        Roles = "roles",
        Disabled = "disabled",
        PasswordChanged = "passwordChanged",
        FormerName = "formerName",
        Exempted = "exempted",
        RetryAfter = "retryAfter",
    }
}

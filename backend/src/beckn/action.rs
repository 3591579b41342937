//! What may be asked for.

macro_rules! actions {
    ($count:literal: $($(#[$doc:meta])* $name:ident => $code:literal,)*) => {
        /// What may be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every one.
            pub const ALL: [Self; $count] = [$(Self::$name,)*];

            /// Its name, the same in every version of Beckn that has it.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

actions! { 13:
    /// What is offered.
    Search => "search",
    /// What it costs.
    Select => "select",
    /// On which terms.
    Init => "init",
    /// Booked.
    Confirm => "confirm",
    /// Where it stands.
    Status => "status",
    /// Where the vehicle is.
    Track => "track",
    /// Called off.
    Cancel => "cancel",
    /// Changed.
    Update => "update",
    /// What the rider thinks of it.
    Rating => "rating",
    /// Whom to ask for help.
    Support => "support",
    /// Why a ride can be called off.
    CancellationReasons => "get_cancellation_reasons",
    /// What can be rated.
    RatingCategories => "get_rating_categories",
    /// What is asked beside a rating.
    FeedbackForm => "get_feedback_form",
}

impl Action {
    /// The action of this name, if it is served.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.code() == code)
    }

    /// Whether it changes nothing: it may be asked again under the same message id.
    pub const fn is_read(self) -> bool {
        match self {
            Self::Search
            | Self::Status
            | Self::Track
            | Self::CancellationReasons
            | Self::RatingCategories
            | Self::FeedbackForm => true,
            Self::Select
            | Self::Init
            | Self::Confirm
            | Self::Cancel
            | Self::Update
            | Self::Rating
            | Self::Support => false,
        }
    }

    /// Whether its answer tells of a booking.
    pub const fn is_of_booking(self) -> bool {
        match self {
            Self::Confirm | Self::Status | Self::Cancel | Self::Update => true,
            Self::Search
            | Self::Select
            | Self::Init
            | Self::Track
            | Self::Rating
            | Self::Support
            | Self::CancellationReasons
            | Self::RatingCategories
            | Self::FeedbackForm => false,
        }
    }
}

//! Words for people in callbacks, in the languages that riders read.

use super::codes::State;
use crate::domain::language::Language;

/// A group of tags that is to be shown. A text: the schema takes nothing else.
pub(super) const DISPLAYED: &str = "true";

/// The name of a fulfillment state.
pub(super) const fn state(state: State, language: Language) -> &'static str {
    match language {
        Language::English => english(state),
        Language::Hindi => hindi(state),
        Language::Kannada => kannada(state),
    }
}

const fn english(state: State) -> &'static str {
    match state {
        State::AgentsFound => "Drivers are near",
        State::Assigned => "A driver has accepted",
        State::EnRouteToPickup => "The driver is on the way to you",
        State::AtPickup => "The driver is waiting for you",
        State::Started => "The ride has started",
        State::Paused => "The ride is paused",
        State::Resumed => "The ride goes on",
        State::Ended => "The ride has ended",
        State::PaymentCollected => "The fare was paid",
        State::Cancelled => "The ride was cancelled",
    }
}

const fn hindi(state: State) -> &'static str {
    match state {
        State::AgentsFound => "पास में ड्राइवर उपलब्ध हैं",
        State::Assigned => "ड्राइवर ने आपकी सवारी स्वीकार कर ली है",
        State::EnRouteToPickup => "ड्राइवर आपकी ओर आ रहा है",
        State::AtPickup => "ड्राइवर आपका इंतज़ार कर रहा है",
        State::Started => "सवारी शुरू हो गई है",
        State::Paused => "सवारी रुकी हुई है",
        State::Resumed => "सवारी फिर से चल पड़ी है",
        State::Ended => "सवारी समाप्त हो गई है",
        State::PaymentCollected => "किराया चुका दिया गया है",
        State::Cancelled => "सवारी रद्द कर दी गई है",
    }
}

const fn kannada(state: State) -> &'static str {
    match state {
        State::AgentsFound => "ಹತ್ತಿರದಲ್ಲಿ ಚಾಲಕರು ಲಭ್ಯವಿದ್ದಾರೆ",
        State::Assigned => "ಚಾಲಕರು ನಿಮ್ಮ ಸವಾರಿಯನ್ನು ಸ್ವೀಕರಿಸಿದ್ದಾರೆ",
        State::EnRouteToPickup => "ಚಾಲಕರು ನಿಮ್ಮ ಕಡೆಗೆ ಬರುತ್ತಿದ್ದಾರೆ",
        State::AtPickup => "ಚಾಲಕರು ನಿಮಗಾಗಿ ಕಾಯುತ್ತಿದ್ದಾರೆ",
        State::Started => "ಸವಾರಿ ಪ್ರಾರಂಭವಾಗಿದೆ",
        State::Paused => "ಸವಾರಿಯನ್ನು ತಾತ್ಕಾಲಿಕವಾಗಿ ನಿಲ್ಲಿಸಲಾಗಿದೆ",
        State::Resumed => "ಸವಾರಿ ಮುಂದುವರಿದಿದೆ",
        State::Ended => "ಸವಾರಿ ಮುಗಿದಿದೆ",
        State::PaymentCollected => "ಶುಲ್ಕವನ್ನು ಪಾವತಿಸಲಾಗಿದೆ",
        State::Cancelled => "ಸವಾರಿಯನ್ನು ರದ್ದುಗೊಳಿಸಲಾಗಿದೆ",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_state_has_a_name_of_its_own_in_every_language() {
        let names: BTreeSet<_> = Language::ALL
            .iter()
            .flat_map(|language| State::ALL.map(|it| state(it, *language)))
            .collect();
        assert_eq!(names.len(), Language::ALL.len() * State::ALL.len());
    }
}

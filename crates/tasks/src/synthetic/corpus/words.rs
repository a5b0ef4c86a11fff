//! The words of reasoning, in both languages. Each is one piece of the tiny vocabulary.

use crate::synthetic::Tongue;

#[derive(Debug)]
pub(in crate::synthetic) struct Words {
    pub(in crate::synthetic) first: &'static str,
    pub(in crate::synthetic) then: &'static str,
    pub(in crate::synthetic) so: &'static str,
    pub(in crate::synthetic) wait: &'static str,
    pub(in crate::synthetic) check: &'static str,
    pub(in crate::synthetic) fine: &'static str,
    pub(in crate::synthetic) attempt: &'static str,
    pub(in crate::synthetic) yes: &'static str,
    pub(in crate::synthetic) no: &'static str,
    pub(in crate::synthetic) suppose: &'static str,
    pub(in crate::synthetic) truth: &'static str,
    pub(in crate::synthetic) lie: &'static str,
    pub(in crate::synthetic) answer_is: &'static str,
}

const EN: Words = Words {
    first: "first ",
    then: "then ",
    so: "so ",
    wait: "wait ",
    check: "check ",
    fine: " ok",
    attempt: "try ",
    yes: " yes",
    no: " no",
    suppose: "suppose ",
    truth: " true",
    lie: " false",
    answer_is: "the answer is ",
};

const ZH: Words = Words {
    first: "先",
    then: "再",
    so: "所以",
    wait: "等等",
    check: "检查",
    fine: "没错",
    attempt: "试",
    yes: "可以",
    no: "不行",
    suppose: "假设",
    truth: "真",
    lie: "假",
    answer_is: "答案是",
};

impl Words {
    pub(in crate::synthetic) fn of(language: Tongue) -> &'static Self {
        match language {
            Tongue::En => &EN,
            Tongue::Zh => &ZH,
        }
    }

    pub(in crate::synthetic) fn all(&self) -> [&'static str; 13] {
        [
            self.first,
            self.then,
            self.so,
            self.wait,
            self.check,
            self.fine,
            self.attempt,
            self.yes,
            self.no,
            self.suppose,
            self.truth,
            self.lie,
            self.answer_is,
        ]
    }
}

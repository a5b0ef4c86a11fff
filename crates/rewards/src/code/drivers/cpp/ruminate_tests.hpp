// Runs the text of a test against a program that lives in another process. Only trusted text is compiled with this: the test, and a stand-in for the
// function that the test calls, whose head is the task's declaration. The end of a test is told by this driver alone, over a channel that the program
// does not have.
#pragma once
#include "ruminate.hpp"

namespace ruminate {

// The program threw an exception, or has no such function.
struct ProgramError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Calls the program's function and reads the value as one of the declared type.
template <class R, class... A>
R call(const char* name, const A&... arguments) {
    std::string list;
    ((list += (list.empty() ? "" : ",") + encode(arguments)), ...);
    send("Q{\"op\":\"call\",\"on\":" + encode(name) + ",\"args\":[" + list + "]}");
    std::string frame = receive();
    Parser parser{frame};
    Data answer = parser.value();
    if (const Data* raise = Parser::get(answer, "raise")) {
        std::string text;
        for (const Data& part : raise->items) text += (text.empty() ? "" : " ") + part.text;
        throw ProgramError(text.substr(0, 300));
    }
    const Data* value = Parser::get(answer, "ok");
    if (!value) throw ProgramError("the program does not define " + std::string(name));
    if constexpr (!std::is_void_v<R>) return decode(*value, Type<std::decay_t<R>>{});
}

inline void end(const char* kind, const std::string& reason) {
    send(std::string("E{\"end\":\"") + kind + "\",\"reason\":" + encode(reason) + "}");
}

// What a test does wrong on its own, such as a failed `assert`, ends this process before it can say that it passed.
template <class F>
int run_test(F test) {
    receive();
    try {
        int status = test();
        if (status == 0) end("passed", "");
        else end("failed", "the test returned " + std::to_string(status));
    } catch (const ProgramError& error) {
        end("error", error.what());
    } catch (const std::exception& error) {
        end("failed", error.what());
    }
    receive();
    return 0;
}

}  // namespace ruminate

#include "lepton/model/loading/probe.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lepton/model/loading/probe_child.h"
#include "lepton/model/tuning/tuning_messages.h"

namespace lepton::model {
namespace {

// Steps and one plan; a process that says more is not ours any more.
constexpr std::size_t kLongestLine = std::size_t{64} << 10;
constexpr std::size_t kMostOutput = std::size_t{4} << 20;
// From the last line to the end of the process.
constexpr Clock::duration kTimeToEnd = std::chrono::seconds(10);

class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int get() const { return number_; }

private:
    int number_;
};

tl::unexpected<Error> system_failure(const std::string& what, int error) {
    return fail(ErrorCode::kInternal, what + ": " + std::system_category().message(error));
}

tl::unexpected<Error> cancelled() {
    return fail(ErrorCode::kUnavailable, "the server is stopping");
}

// What the child reads as its standard input. A file in memory, and not a pipe: it is written at
// once, whether or not somebody reads it.
Result<Descriptor> file_with(const std::string& text) {
    Descriptor file(::memfd_create("lepton-probe", MFD_CLOEXEC));
    std::size_t written = 0;
    while (file.get() >= 0 && written < text.size()) {
        const ssize_t more = ::write(file.get(), text.data() + written, text.size() - written);
        if (more <= 0) return system_failure("the request of lepton-probe", errno);
        written += static_cast<std::size_t>(more);
    }
    if (file.get() < 0 || ::lseek(file.get(), 0, SEEK_SET) < 0) {
        return system_failure("the request of lepton-probe", errno);
    }
    return file;
}

std::string signal_name(int signal) {
    const char* name = ::sigabbrev_np(signal);
    return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

std::string way_of_ending(int status) {
    if (!WIFSIGNALED(status)) {
        return "ended its process with exit status " + std::to_string(WEXITSTATUS(status));
    }
    const int signal = WTERMSIG(status);
    if (signal == SIGKILL) return "was killed by the system (SIGKILL), as for want of memory,";
    return "crashed with " + signal_name(signal);
}

int milliseconds_until(Clock::time_point when) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - Clock::now()).count();
    constexpr std::int64_t kMost = 60'000;
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, kMost));
}

}  // namespace

// The process. Not thread-safe; the owner serialises.
class Probe::Child {
public:
    static Result<Child> start(const std::filesystem::path& program, const std::string& request) {
        LEPTON_TRY(const Descriptor input, file_with(request));
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("a pipe", errno);
        Descriptor read_end(ends[0]);
        const Descriptor write_end(ends[1]);

        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
        ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), kProbeOutput);
        // Engines print; our standard output may be a program's that we are a part of.
        ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        ::posix_spawn_file_actions_addclosefrom_np(&actions, kProbeOutput + 1);
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setsigdefault(&attributes, &all);
        ::posix_spawnattr_setpgroup(&attributes, 0);
        ::posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        std::string path = program.string();
        std::array<char*, 2> arguments{path.data(), nullptr};
        pid_t pid = 0;
        const int error =
            ::posix_spawn(&pid, path.c_str(), &actions, &attributes, arguments.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
        if (error != 0) return system_failure(path + " does not start", error);
        return Child(pid, std::move(read_end));
    }

    Child(Child&& other) noexcept
        : pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)) {}
    Child& operator=(Child&&) = delete;
    ~Child() { end(); }

    // Reads to the end of what it says. Errors: kUnavailable when `cancelled` became readable.
    Result<> read_lines(int stop, Clock::duration longest_step) {
        Clock::time_point give_up = Clock::now() + longest_step;
        std::size_t read = 0;
        std::string pending;
        while (true) {
            std::array<pollfd, 2> waits{{{output_.get(), POLLIN, 0}, {stop, POLLIN, 0}}};
            const int happened = ::poll(waits.data(), waits.size(), milliseconds_until(give_up));
            if (happened < 0 && errno != EINTR) return system_failure("waiting", errno);
            if (happened > 0 && waits[1].revents != 0) return cancelled();
            if (happened <= 0 || waits[0].revents == 0) {
                if (Clock::now() < give_up) continue;
                hung_ = true;
                return {};
            }
            std::array<char, 4096> block;
            const ssize_t more = ::read(output_.get(), block.data(), block.size());
            if (more < 0 && errno == EINTR) continue;
            if (more <= 0) return {};
            read += static_cast<std::size_t>(more);
            pending.append(block.data(), static_cast<std::size_t>(more));
            for (std::size_t end = 0; (end = pending.find('\n')) != std::string::npos;) {
                take_line(std::string_view(pending).substr(0, end));
                pending.erase(0, end + 1);
                give_up = Clock::now() + longest_step;
            }
            if (pending.size() > kLongestLine || read > kMostOutput) {
                return fail(ErrorCode::kInternal, "the process that tried it says too much");
            }
        }
    }

    // The process is gone when this returns.
    Result<TuningPlan> outcome(const std::filesystem::path& file, Clock::duration longest_step) {
        const std::string model = file.string() + ": the model ";
        const int status = hung_ ? 0 : wait_for_end();
        end();
        const std::string where = step_.empty() ? "while it was read" : "in warm-up, " + step_;
        if (hung_) {
            const auto seconds =
                std::chrono::duration_cast<std::chrono::seconds>(longest_step).count();
            return fail(ErrorCode::kInternal,
                        model + "hangs " + where + ": no sign of life for " +
                            std::to_string(seconds) + " s");
        }
        if (failure_) return tl::unexpected(*failure_);
        if (plan_) return *plan_;
        return fail(ErrorCode::kInternal, model + way_of_ending(status) + " " + where);
    }

private:
    Child(pid_t pid, Descriptor output) : pid_(pid), output_(std::move(output)) {}

    void take_line(std::string_view text) {
        tuning::ProbeLine line;
        if (!from_json(text, line)) return;
        if (line.has_step()) {
            step_ = line.step();
        } else if (line.has_failure()) {
            const int code = line.failure().code();
            const bool known = code >= 0 && code < static_cast<int>(kErrorCodeCount);
            failure_ = Error{known ? static_cast<ErrorCode>(code) : ErrorCode::kInternal,
                             line.failure().message()};
        } else if (line.has_plan()) {
            auto plan = from_message(line.plan());
            if (plan) {
                plan_ = *std::move(plan);
            } else {
                failure_ = std::move(plan).error();
            }
        }
    }

    // The status of its end; that of a kill where it does not end.
    int wait_for_end() {
        const Clock::time_point give_up = Clock::now() + kTimeToEnd;
        int status = 0;
        while (pid_ > 0) {
            const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
            if (ended == pid_ || (ended < 0 && errno != EINTR)) {
                pid_ = 0;
            } else if (Clock::now() >= give_up) {
                end();
                return SIGKILL;
            } else {
                ::usleep(200);
            }
        }
        return status;
    }

    // It, and what it may have started.
    void end() {
        if (pid_ <= 0) return;
        ::kill(-pid_, SIGKILL);
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
    }

    pid_t pid_;
    Descriptor output_;
    bool hung_ = false;
    std::string step_;
    std::optional<Error> failure_;
    std::optional<TuningPlan> plan_;
};

Probe::Probe(Options options)
    : options_(std::move(options)), cancelled_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Probe::~Probe() {
    if (cancelled_ >= 0) ::close(cancelled_);
}

bool Probe::available() const { return ::access(options_.program.c_str(), X_OK) == 0; }

Result<TuningPlan> Probe::run(const Request& request) {
    tuning::ProbeRequest message;
    message.set_engines_folder(request.engines_folder.string());
    message.set_engine(request.engine);
    message.set_file(request.file.string());
    message.set_cache_dir(request.cache_dir.string());
    message.set_config(request.config.text);
    *message.mutable_subject() = to_message(request.subject);
    message.set_tune(request.tune);
    message.set_background(request.background);
    LEPTON_TRY(Child child, Child::start(options_.program, to_line(message)));
    LEPTON_RETURN_IF_ERROR(child.read_lines(cancelled_, options_.longest_step));
    return child.outcome(request.file, options_.longest_step);
}

void Probe::cancel() {
    const std::uint64_t one = 1;
    // Fails where it was called before.
    static_cast<void>(!::write(cancelled_, &one, sizeof one));
}

}  // namespace lepton::model

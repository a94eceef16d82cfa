// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/rpm/transaction.hpp"

#include <fcntl.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmps.h>
#include <rpm/rpmts.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "imagebuilder/rpm/fifo_partner.hpp"
#include "imagebuilder/rpm/internal.hpp"
#include "imagebuilder/rpm/session.hpp"

namespace imagebuilder::rpm {
namespace {

std::string script_kind(rpmTagVal tag) {
  switch (tag) {
    case RPMTAG_PREIN:
      return "%pre";
    case RPMTAG_POSTIN:
      return "%post";
    case RPMTAG_PREUN:
      return "%preun";
    case RPMTAG_POSTUN:
      return "%postun";
    case RPMTAG_PRETRANS:
      return "%pretrans";
    case RPMTAG_POSTTRANS:
      return "%posttrans";
    case RPMTAG_TRIGGERPREIN:
      return "%triggerprein";
    case RPMTAG_TRIGGERIN:
      return "%triggerin";
    case RPMTAG_TRIGGERUN:
      return "%triggerun";
    case RPMTAG_TRIGGERPOSTUN:
      return "%triggerpostun";
    case RPMTAG_FILETRIGGERIN:
      return "%filetriggerin";
    case RPMTAG_TRANSFILETRIGGERIN:
      return "%transfiletriggerin";
    default: {
      const char* name = rpmTagGetName(tag);
      return name ? name : "script";
    }
  }
}

class Run {
 public:
  Run(const TransactionRequest& request, const TransactionEvents& events)
      : request_(request),
        events_(events),
        host_root_(core::open_file("/", O_PATH | O_DIRECTORY)),
        output_(memfd_create("scriptlet output", MFD_CLOEXEC)) {
    if (!output_) core::throw_errno("cannot make a buffer for the output of scriptlets");
    fcntl(output_.get(), F_SETFL, O_APPEND);
  }

  std::vector<TransactionProblem> run() {
    start_session();
    set_macro("_dbpath", request_.database);
    // Without it librpm sends the standard output of scriptlets to /dev/null; its own talk goes to LogCapture.
    rpmSetVerbosity(RPMLOG_INFO);
    const TransactionHandle ts(rpmtsCreate());
    rpmtsSetRootDir(ts.get(), request_.root_dir.c_str());
    // Signatures and digests were checked when the files were fetched. Plugins and labels would let the host in.
    rpmtsSetVSFlags(ts.get(), static_cast<rpmVSFlags>(RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES));
    rpmtsSetVfyLevel(ts.get(), 0);
    rpmtsSetFlags(ts.get(), RPMTRANS_FLAG_NOPLUGINS | RPMTRANS_FLAG_NOCONTEXTS);
    const FileHandle script_output(fdDup(output_.get()));
    rpmtsSetScriptFd(ts.get(), script_output.get());
    std::vector<std::string> fifos;
    for (std::size_t i = 0; i < request_.package_paths.size(); ++i) {
      const auto header = read_header(request_.package_paths[i]);
      nevras_.push_back(nevra_of(header.get()));
      for (const auto& [path, mode] : paths_of(header.get()))
        if (S_ISFIFO(mode)) fifos.push_back(path);
      const auto key = reinterpret_cast<fnpyKey>(static_cast<std::uintptr_t>(i + 1));
      if (rpmtsAddInstallElement(ts.get(), header.get(), key, 0, nullptr) != 0)
        return {{TransactionProblem::Kind::other, "cannot install " + nevras_.back()}};
    }
    // The order is the lock's: no rpmtsOrder here.
    LogCapture log;
    log_ = &log;
    if (rpmtsCheck(ts.get()) != 0) return {{TransactionProblem::Kind::other, core::join(log.take(), "; ")}};
    if (auto problems = problems_of(ts.get()); !problems.empty()) return problems;
    rpmtsClean(ts.get());
    rpmtsSetNotifyCallback(ts.get(), notify, this);
    const FifoPartner partner(request_.root_dir, fifos);
    const int code = rpmtsRun(ts.get(), nullptr, RPMPROB_FILTER_VERIFY);
    auto problems = problems_of(ts.get());
    const auto lines = log.take();
    log_ = nullptr;
    rpmtsSetScriptFd(ts.get(), nullptr);
    for (const auto& failure : failures_) problems.push_back({TransactionProblem::Kind::other, failure});
    if (code != 0 || !problems.empty()) {
      for (const auto& line : lines) problems.push_back({TransactionProblem::Kind::other, line});
      if (problems.empty()) problems.push_back({TransactionProblem::Kind::other, "librpm gave up without a word"});
      return problems;
    }
    for (const auto& line : lines) events_.on_warning(line);
    return {};
  }

 private:
  static std::vector<TransactionProblem> problems_of(rpmts ts) {
    std::vector<TransactionProblem> list;
    const core::Handle<rpmps_s, rpmpsFree> problems(rpmtsProblems(ts));
    if (!problems) return list;
    core::Handle<rpmpsi_s, rpmpsFreeIterator> each(rpmpsInitIterator(problems.get()));
    while (rpmpsNextIterator(each.get()) >= 0) {
      const rpmProblem problem = rpmpsGetProblem(each.get());
      char* text = rpmProblemString(problem);
      TransactionProblem::Kind kind = TransactionProblem::Kind::other;
      switch (rpmProblemGetType(problem)) {
        case RPMPROB_VERIFY:
          kind = TransactionProblem::Kind::verification;
          break;
        case RPMPROB_REQUIRES:
        case RPMPROB_CONFLICT:
        case RPMPROB_OBSOLETES:
        case RPMPROB_NEW_FILE_CONFLICT:
        case RPMPROB_FILE_CONFLICT:
        case RPMPROB_BADARCH:
          kind = TransactionProblem::Kind::not_together;
          break;
        default:
          break;
      }
      list.push_back({kind, text ? text : "unknown problem"});
      std::free(text);
    }
    return list;
  }

  /// Called inside the new root too, so paths of packages are opened by way of the host's root.
  static void* notify(const void* header, rpmCallbackType what, rpm_loff_t amount, rpm_loff_t /*total*/, fnpyKey key,
                      rpmCallbackData data) {
    auto* self = static_cast<Run*>(data);
    const auto number = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(key));
    const std::string package = header != nullptr ? nevra_of(static_cast<Header>(const_cast<void*>(header)))
                                : number > 0 && number <= self->nevras_.size() ? self->nevras_[number - 1]
                                                                               : "a package";
    switch (what) {
      case RPMCALLBACK_INST_OPEN_FILE: {
        const int fd =
            openat(self->host_root_.get(), self->request_.package_paths[number - 1].c_str() + 1, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return nullptr;
        self->open_.reset(fdDup(fd));
        close(fd);
        return self->open_.get();
      }
      case RPMCALLBACK_INST_CLOSE_FILE:
        self->open_.reset();
        break;
      case RPMCALLBACK_INST_START:
        self->events_.on_install(number, self->request_.package_paths.size());
        break;
      case RPMCALLBACK_UNPACK_ERROR:
      case RPMCALLBACK_CPIO_ERROR:
        self->failures_.push_back("unpacking " + package + " failed");
        break;
      case RPMCALLBACK_SCRIPT_START:
        if (ftruncate(self->output_.get(), 0) == 0)
          self->events_.on_script(package, script_kind(static_cast<rpmTagVal>(amount)));
        break;
      case RPMCALLBACK_SCRIPT_ERROR: {
        std::string output;
        if (lseek(self->output_.get(), 0, SEEK_SET) == 0)
          output = core::read_whole(self->output_, core::kNoLimit, "output");
        for (const auto& line : self->log_->take()) output += line + "\n";
        self->events_.on_script_error(package, script_kind(static_cast<rpmTagVal>(amount)), output);
        break;
      }
      default:
        break;
    }
    return nullptr;
  }

  const TransactionRequest& request_;
  const TransactionEvents& events_;
  core::Fd host_root_, output_;
  FileHandle open_;
  LogCapture* log_ = nullptr;
  std::vector<std::string> nevras_, failures_;
};

}  // namespace

std::vector<TransactionProblem> run_transaction(const TransactionRequest& request, const TransactionEvents& events) {
  return Run(request, events).run();
}

}  // namespace imagebuilder::rpm

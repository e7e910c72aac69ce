"""Drives dnf in a container that layerbox made: one request, a line of JSON, on standard input; events, one a line, on what was standard output.

What is to be done is resolved and told first; only when a second line, "go", comes is it done. Nothing is read from the configuration of the
machine. All that goes wrong is one event "error", whose messages are whole; then the exit status is 1.
"""
import base64
import collections
import json
import logging
import os
import re
import shutil
import socket
import sqlite3
import struct
import sys


class Refused(Exception):
    """What was asked for cannot be had: the messages are for people."""


# Scriptlets in Lua run in this very process, and what they print goes to its standard output: that is no event.
EVENTS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def tell(event, **members):
    print(json.dumps({"event": event, **members}), file=EVENTS, flush=True)


def listen(channel):
    """A socket on this container's loopback, where whoever started us serves the repositories."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("127.0.0.1", PORT))
    server.listen(64)
    with socket.socket(fileno=channel) as peer:
        peer.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", server.fileno()))])
    server.close()


PORT, CHANNEL = 8080, 3
if os.environ.pop("LISTEN_FDS", None):
    os.environ.pop("LISTEN_PID", None)
    listen(CHANNEL)
REQUEST = json.loads(sys.stdin.readline())
DATABASE = REQUEST["root"] + REQUEST["dbpath"]
if os.path.isdir(DATABASE) and os.statvfs(DATABASE).f_flag & os.ST_RDONLY:
    # SQLite opens one in WAL mode, as images from elsewhere have it, only where it can write. The path is taken below the root.
    shutil.copytree(DATABASE, REQUEST["cache"] + "/rpmdb")
    REQUEST["macros"]["_dbpath"] = "/.." + REQUEST["cache"] + "/rpmdb"
# Before librpm is loaded, which reads it each time somebody sets it up anew.
with open(os.path.expanduser("~/.rpmmacros"), "w") as macros:
    macros.writelines("%%%s %s\n" % macro for macro in REQUEST["macros"].items())

try:
    import dnf
    import dnf.yum.rpmtrans
    import hawkey
    import libdnf.transaction as action
    import rpm
except ImportError as error:
    tell("error", message="dnf 4 cannot be driven, since its Python lacks something: %s" % error)
    sys.exit(1)

ACTIONS = {
    action.TransactionItemAction_INSTALL: "install", action.TransactionItemAction_UPGRADE: "upgrade", action.TransactionItemAction_DOWNGRADE: "downgrade",
    action.TransactionItemAction_OBSOLETE: "install", action.TransactionItemAction_REINSTALL: "reinstall", action.TransactionItemAction_REMOVE: "remove",
    action.TransactionItemAction_UPGRADED: "replaced", action.TransactionItemAction_DOWNGRADED: "replaced", action.TransactionItemAction_REINSTALLED: "replaced",
    action.TransactionItemAction_OBSOLETED: "obsoleted",
}
COMING = ("install", "upgrade", "downgrade", "reinstall")
REASONS = {
    action.TransactionItemReason_USER: "user", action.TransactionItemReason_DEPENDENCY: "dependency", action.TransactionItemReason_WEAK_DEPENDENCY: "weak",
    action.TransactionItemReason_GROUP: "group",
}


def one_line(error):
    """dnf's messages have lines and bullets."""
    lines = [re.sub(r"^(- |Problem( \d+)?: )", "", line.strip()) for line in str(error).splitlines()]
    lines = [line for line in lines if line and not re.fullmatch(r"-+|Error Summary|Transaction test error:", line)]
    # Said of every request that cannot be had, and of no use then.
    useful = [line for line in lines if line not in ("conflicting requests", "cannot install the best candidate for the job")]
    return "; ".join(dict.fromkeys(useful or lines))


class Complaints(logging.Handler):
    """What dnf only logs, and we want to know."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(one_line(record.getMessage()))


class Display(dnf.yum.rpmtrans.TransactionDisplay):
    """Hears what dnf would only print: scriptlets that failed, files whose owners nobody knows."""

    def __init__(self):
        super().__init__()
        self.errors, self.output, self.told = [], [], None

    def progress(self, package, action, ti_done, ti_total, ts_done, ts_total):
        now = (ts_done, ts_total)
        if package and ts_total and now != self.told:
            self.told = now
            tell("progress", done=ts_done, total=ts_total)

    def scriptout(self, msgs):
        if msgs:
            self.output += [line for line in msgs.decode("utf-8", "replace").splitlines() if line.strip()]

    def error(self, message):
        self.errors.append(one_line(message))


def nevra(package):
    return "%s-%s.%s" % (package.name, package.evr, package.arch)


def header_nevra(header):
    epoch = "%s:" % header[rpm.RPMTAG_EPOCH] if header[rpm.RPMTAG_EPOCH] else ""
    return "%s-%s%s-%s.%s" % (header[rpm.RPMTAG_NAME], epoch, header[rpm.RPMTAG_VERSION], header[rpm.RPMTAG_RELEASE], header[rpm.RPMTAG_ARCH] or "noarch")


def header_digest(header):
    return header[rpm.RPMTAG_SHA256HEADER] or header[rpm.RPMTAG_SHA1HEADER]


def configure(request):
    conf = dnf.conf.Conf()
    conf.config_file_path = "/dev/null"
    conf.installroot = request["root"]
    conf.cachedir = request["cache"]
    conf.logdir = conf.persistdir = conf.system_cachedir = request["scratch"]
    conf.reposdir, conf.varsdir, conf.pluginconfpath, conf.pluginpath = [], [], [], []
    conf.plugins = False
    conf.history_record = False
    conf.substitutions["releasever"] = "1"
    conf.substitutions["arch"], conf.substitutions["basearch"] = request["arch"], request["basearch"]
    conf.best = conf.strict = conf.obsoletes = conf.assumeyes = conf.diskspacecheck = True
    conf.clean_requirements_on_remove = conf.keepcache = conf.zchunk = conf.gpgcheck = conf.localpkg_gpgcheck = False
    conf.install_weak_deps = request["weak_deps"]
    conf.tsflags = request["tsflags"]
    conf.installonly_limit = 0
    conf.protected_packages = []
    conf.multilib_policy = "best"
    conf.module_platform_id = request.get("platform") or ""
    conf.metadata_expire = -1
    conf.retries = 1
    conf.rpmverbosity = "warning"
    base = dnf.Base(conf)
    for repo in request["repos"]:
        base.repos.add_new_repo(repo["id"], conf, baseurl=[repo["url"]], skip_if_unavailable=False, gpgcheck=False, repo_gpgcheck=False, enabled_metadata="1")
    return base


def matches(base, spec):
    return dnf.subject.Subject(spec).get_best_query(base.sack, with_src=False)


def is_other(package, request):
    """Whether what is installed under the full name of a package file was built another time."""
    ts = rpm.TransactionSet(request["root"])
    ts.setVSFlags(rpm._RPMVSF_NOSIGNATURES | rpm._RPMVSF_NODIGESTS)
    with open(package.localPkg()) as file:
        wanted = ts.hdrFromFdno(file.fileno())
    there = [header_digest(header) for header in ts.dbMatch("name", package.name) if header_nevra(header) == header_nevra(wanted)]
    ts.closeDB()
    return bool(there) and header_digest(wanted) not in there


def mark(base, request):
    """Says what is wanted to the solver; gives for each package that is named here who names it."""
    local = {}
    for file in request["files"]:
        try:
            (package,) = base.add_remote_rpms([file["path"]])
        except IOError:
            raise Refused("%s: dnf cannot read this package" % file["name"]) from None
        if package.arch in ("src", "nosrc"):
            raise Refused("%s: is a source package" % file["name"])
        local[file["name"]] = package
    removed = []
    for entry in request["remove"]:
        # Names alone: who says that a file or a capability is to go would not know what goes.
        found = list(dnf.subject.Subject(entry["spec"]).get_best_query(base.sack, with_src=False, with_provides=False, with_filenames=False).installed())
        if not found and entry["must_exist"]:
            raise Refused("'%s' is to be removed, but is not installed" % entry["spec"])
        for package in found:
            base.package_remove(package)
            removed.append((nevra(package), entry["spec"]))
    for name, package in local.items():
        same = base.sack.query().installed().filterm(name=package.name, arch=[package.arch, "noarch"])
        if not same.filter(evr=package.evr):
            base.package_install(package)
        elif is_other(package, request):
            raise Refused("%s: %s is installed already, with other content" % (name, nevra(package)))
    unknown = []
    for entry in request["install"]:
        named = dnf.subject.Subject(entry["spec"]).get_best_query(base.sack, with_src=False, with_provides=False, with_filenames=False)
        both = [spec for name, spec in removed if named.filter(name=name.rsplit("-", 2)[0])]
        if both:
            raise Refused("'%s' is to be installed, and '%s' to be removed: one of the two" % (entry["spec"], both[0]))
        try:
            base.install(entry["spec"], strict=True)
        except dnf.exceptions.MarkingError as error:
            # dnf has no type of its own for it.
            hidden = "modular filtering" in str(error)
            unknown.append("'%s' is only in modules that are not enabled ('module_platform')" % entry["spec"] if hidden else "no package matches '%s'" % entry["spec"])
    if unknown:
        raise Refused("; ".join(unknown))
    for entry in request["lock"]:
        found = [p for p in base.sack.query().available().filterm(reponame=entry["repo"]) .filterm(nevra=entry["nevra"]) if p.location == entry["location"]]
        if not found:
            raise Refused("%s of the lock file is not in the snapshot (%s: %s)" % (entry["nevra"], entry["repo"], entry["location"]))
        base.package_install(found[0])
    return removed, local


def needed(base, removed):
    """The solver lists every capability that would be missing; who needs what is to go is said in fewer words."""
    going = {name for name, _ in removed}
    staying = [p for p in base.sack.query().installed() if nevra(p) not in going]
    said = []
    for name, spec in removed:
        (package,) = [p for p in base.sack.query().installed() if nevra(p) == name][:1]
        provided = list(package.provides)
        users = base.sack.query().installed().filterm(requires=provided + [hawkey.Reldep(base.sack, path) for path in package.files])
        users = sorted(nevra(p) for p in users if p in staying)
        if users:
            said.append("'%s' is needed by %s%s" % (spec, ", ".join(users[:3]), " and %d more" % (len(users) - 3) if len(users) > 3 else ""))
    return said


def resolve(base, request):
    removed, local = mark(base, request)
    try:
        base.resolve(allow_erasing=False)
    except dnf.exceptions.DepsolveError as error:
        raise Refused("; ".join(needed(base, removed)) or one_line(error)) from None
    gone = {name for name, _ in removed}
    told, problems = [], []
    asked = {nevra(p) for entry in request["install"] for p in matches(base, entry["spec"]).available()} | {nevra(p) for p in local.values()}
    # dnf takes all that is in a lock file for asked for.
    wanted = {entry["nevra"]: entry["reason"] for entry in request["lock"]}
    wanted.update(dict.fromkeys(asked, "user"))
    for item in base.transaction:
        what = ACTIONS.get(item.action)
        if what is None:
            continue
        package = item.pkg
        if what in ("remove", "obsoleted") and nevra(package) not in gone:
            heirs = {nevra(other) for other in base.sack.query().filterm(obsoletes=[package])}
            by = sorted({nevra(other.pkg) for other in base.transaction if ACTIONS.get(other.action) in COMING} & heirs)
            problems.append("%s would be removed, which no rpms_remove names%s" % (nevra(package), " (replaced by %s)" % ", ".join(by) if what == "obsoleted" else ""))
        entry = {"action": what, "nevra": nevra(package), "name": package.name, "arch": package.arch, "reason": wanted.get(nevra(package)) or REASONS.get(item.reason, "dependency")}
        if what in COMING:
            kind, digest = package.chksum or package.hdr_chksum or (0, b"")
            entry.update(repo=package.reponame, location=package.location, checksum=digest.hex(), size=package.downloadsize, install_size=package.installsize)
            for name, file in local.items():
                if file is package or (file.reponame == package.reponame and nevra(file) == nevra(package)):
                    entry["file"] = name
        told.append(entry)
    check_wanted(base, request, removed, local, told, problems)
    if problems:
        raise Refused("; ".join(sorted(problems)))
    told.sort(key=lambda entry: (entry["nevra"], entry["action"]))
    return told


def check_wanted(base, request, removed, local, told, problems):
    """What one item asks for and another takes back, the solver may find a way to live with; we do not."""
    coming = {entry["nevra"] for entry in told if entry["action"] in COMING}
    leaving = {entry["nevra"] for entry in told if entry["action"] not in COMING}
    after = {nevra(p) for p in base.sack.query().installed()} - leaving | coming
    names = {name.rsplit("-", 2)[0] for name in after}
    for name, spec in removed:
        if name.rsplit("-", 2)[0] in names and not (base.sack.query().installed().filterm(name=name.rsplit("-", 2)[0]).count() > 1):
            problems.append("'%s' is to be removed, but something needs or installs it too" % spec)
    for entry in request["install"]:
        if not any(nevra(p) in after for p in matches(base, entry["spec"])):
            heirs = sorted(nevra(p) for p in base.sack.query().filterm(obsoletes=matches(base, entry["spec"])) if nevra(p) in after)
            problems.append("'%s' would not be installed%s" % (entry["spec"], ", since %s obsoletes it" % heirs[0] if heirs else ""))
    for name, package in local.items():
        if nevra(package) not in after:
            problems.append("%s: %s would not be installed" % (name, nevra(package)))
    locked = {entry["nevra"] for entry in request["lock"]}
    if request["is_locked"]:
        mine = {nevra(p) for p in local.values()}
        problems += ["%s would be installed, which is not in the lock file" % other for other in sorted(coming - locked - mine)]
        problems += ["%s of the lock file would not be installed" % other for other in sorted(locked - after)]
    problems += ["%s would stay, which the lock file removes: name it in rpms_remove" % other for other in sorted(after.intersection(request["lock_removed"]))]


def check_signatures(packages, request):
    """With a database of keys of its own: no key becomes a package of the image."""
    if not request["keys"]:
        return
    folder = request["scratch"] + "/keys"
    os.makedirs(folder)
    rpm.addMacro("_dbpath", folder)
    ts = rpm.TransactionSet()
    for key in request["keys"]:
        # Of several in a row rpm would see none.
        if any([ts.pgpImportPubkey(base64.b64decode(one)) for one in key["certificates"]]):
            raise Refused("%s: holds a public key that rpm does not take" % key["name"])
    ts.setVSFlags(0)
    bad = []
    for package in packages:
        with open(package.localPkg()) as file:
            try:
                header = ts.hdrFromFdno(file.fileno())
            except rpm.error as error:
                bad.append("%s: %s" % (nevra(package), error))
                continue
        if not (header[rpm.RPMTAG_RSAHEADER] or header[rpm.RPMTAG_DSAHEADER]):
            bad.append("%s: is not signed" % nevra(package))
    ts.closeDB()
    rpm.delMacro("_dbpath")
    if bad:
        raise Refused("; ".join(bad))


def install(base, request, complaints):
    packages = sorted(base.transaction.install_set)
    remote = [package for package in packages if not package.reponame == "@commandline"]
    try:
        base.download_packages(remote)
    except dnf.exceptions.DownloadError as error:
        raise Refused(one_line(error)) from None
    check_signatures(remote, request)
    display = Display()
    try:
        base.do_transaction(display)
    except dnf.exceptions.Error as error:
        raise Refused("; ".join(blame(display) or dict.fromkeys([*complaints.lines, one_line(error)]))) from None
    failed = blame(display)
    if failed:
        raise Refused("; ".join(failed))


def blame(display):
    """What makes the build fail that dnf lets pass, or says in its log only."""
    problems, said, unknown = [], [], collections.defaultdict(set)
    for line in display.output:
        script = re.fullmatch(r"(?:warning|error): (%\w+)\((.+)\) (scriptlet failed, .+)", line)
        lua = re.fullmatch(r"error: lua script failed: \[string \"(%\w+)\((.+)\)\"\]:(.+)", line)
        owner = re.fullmatch(r"warning: (user|group) (.+) does not exist - using root", line)
        if script:
            problems.append("%s: %s %s%s" % (script.group(2), script.group(1), script.group(3), "; it said: %s" % said[-1] if said else ""))
        elif lua:
            problems.append("%s: %s failed: line %s" % (lua.group(2), lua.group(1), lua.group(3)))
        elif owner:
            unknown[owner.group(1)].add(owner.group(2))
        else:
            said.append(line.strip())
    # Which scriptlet failed, and how, is in rpm's own words; should it have none, in dnf's.
    problems = problems or list(dict.fromkeys(display.errors))
    for kind, names in sorted(unknown.items()):
        problems += ["files belong to %s '%s', which the image does not have" % (kind, name) for name in sorted(names)]
    return problems


def installed(request):
    """All that is in the image's database now, with its files: path, mode, mtime, owner and group."""
    ts = rpm.TransactionSet(request["root"])
    ts.setVSFlags(rpm._RPMVSF_NOSIGNATURES | rpm._RPMVSF_NODIGESTS)
    found = []
    for header in ts.dbMatch():
        if header[rpm.RPMTAG_NAME] == "gpg-pubkey":
            continue
        files = [
            [path.encode("utf-8", "surrogateescape").decode("latin-1") if isinstance(path, str) else path.decode("latin-1"), int(mode) & 0xFFFF, int(mtime)]
            for path, mode, mtime in zip(header[rpm.RPMTAG_FILENAMES], header[rpm.RPMTAG_FILEMODES], header[rpm.RPMTAG_FILEMTIMES])
        ]
        found.append((header_nevra(header), header[rpm.RPMTAG_SHA256HEADER], header[rpm.RPMTAG_SOURCERPM], files))
    for name, digest, source, files in sorted(found, key=lambda one: (one[0], one[1] or "")):
        tell("installed", nevra=name, header=digest or "", source=source or "", files=files)
    ts.closeDB()


def settle(request):
    """The database without traces of how it was written: one file, whatever was in its log."""
    path = request["root"] + request["dbpath"] + "/rpmdb.sqlite"
    if os.path.exists(path):
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA journal_mode=DELETE")
        database.close()


def main():
    request = REQUEST
    complaints = Complaints()
    logging.getLogger("dnf").addHandler(complaints)
    os.makedirs(request["scratch"], exist_ok=True)
    base = configure(request)
    try:
        base.fill_sack(load_system_repo=True, load_available_repos=bool(request["repos"]))
    except dnf.exceptions.RepoError as error:
        raise Refused(one_line(error)) from None
    told = resolve(base, request)
    tell("resolved", packages=told)
    if sys.stdin.readline().strip() != "go":
        return
    if told:
        install(base, request, complaints)
    base.close()
    installed(request)
    settle(request)
    tell("done")


try:
    main()
except Refused as error:
    tell("error", message=str(error))
    sys.exit(1)

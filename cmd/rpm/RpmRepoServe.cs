using System.CommandLine;
using System.Globalization;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-serve: snapshots as repositories that dnf can use.</summary>
internal static class RpmRepoServe
{
    private const string Name = "rpm-repo-serve";
    private const int MaxPort = 65535;

    private sealed record Options(
        Argument<string[]> Snapshots, Option<string> Store, Option<int> Port, Option<string> Unix, Option<int?> Descriptor, Option<string> UrlFile, Option<bool> Log, Option<int> Grace, Option<int> Connections);

    public static Tool Declare()
    {
        Options options = new(
            new("SNAPSHOT") { Description = "A tag, an id, or the first digits of one. It is the first part of the paths; the id is one, too.", Arity = ArgumentArity.OneOrMore },
            new("--store") { Description = "The directory that holds the snapshots.", HelpName = "DIR", Required = true },
            new("--port") { Description = "The port of 127.0.0.1 to wait at; 0 for any that is free.", DefaultValueFactory = _ => 0, HelpName = "N" },
            new("--unix") { Description = "Wait at a socket with this path instead.", HelpName = "PATH" },
            new("--fd") { Description = "Wait at a socket that was handed to us instead: the number of its descriptor.", HelpName = "N" },
            new("--url-file") { Description = "Write the line with the URLs to this file, too. It is there as soon as connections are taken, and is left behind.", HelpName = "FILE" },
            new("--log") { Description = "Print a JSON line for each request: status, method, path, bytes." },
            new("--grace") { Description = "Seconds that running transfers get when the server is told to stop (SIGTERM, SIGINT).", DefaultValueFactory = _ => 10, HelpName = "SECONDS" },
            new("--connections") { Description = "Clients at the same time.", DefaultValueFactory = _ => 4096, HelpName = "N" });
        Command command = new(
            Name,
            "Serve snapshots of RPM repositories by HTTP, on this machine alone. Prints one JSON line with the URL of each repository as soon as it can be asked for; "
            + "these are what dnf wants as baseurl. Every file is compared with its digest before its first byte leaves. Ends with status 0 when it is told to stop.")
        {
            options.Snapshots, options.Store, options.Port, options.Unix, options.Descriptor, options.UrlFile, options.Log, options.Grace, options.Connections,
        };
        return new Tool(
            command,
            "rpm-repo-serve --store /srv/rpm --port 8080 today &\n"
            + "dnf --repofrompath base,http://127.0.0.1:8080/today/base/ --repo base repoquery",
            (args, io) => Run(args, options, io));
    }

    private static int Run(ParseResult args, Options options, Streams io)
    {
        TimeSpan grace = TimeSpan.FromSeconds(AtLeast(0, "--grace", args.GetValue(options.Grace)));
        int connections = AtLeast(1, "--connections", args.GetValue(options.Connections));
        using SnapshotStore store = SnapshotStore.Open(args.GetRequiredValue(options.Store));
        List<ServedSnapshot> snapshots = [.. args.GetRequiredValue(options.Snapshots).Distinct().Select(name => new ServedSnapshot(name, store.Load(store.Resolve(name))))];
        // Before there is anything to clean up.
        CancellationToken cancellation = io.Cancellation;
        string? unix = args.GetValue(options.Unix);
        SafeFileHandle listener = Listen(args.GetValue(options.Port), unix, args.GetValue(options.Descriptor));
        using RequestLog? log = args.GetValue(options.Log) ? new RequestLog(io) : null;
        using RepoServer server = RepoServer.Start(store, snapshots, listener, new RepoServerOptions
        {
            MaxConnections = connections,
            Complain = line => io.Err.WriteLine(PathText.Printable($"{Name}: {line}")),
            Log = log is null ? null : log.Add,
        });
        try
        {
            Tell(server, args.GetValue(options.UrlFile), io);
            cancellation.WaitHandle.WaitOne();
            if (!server.Stop(grace))
                io.Err.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Name}: some transfers did not end within {grace.TotalSeconds} seconds and were cut off"));
        }
        finally
        {
            if (unix is not null)
                Files.Remove(unix);
        }
        return ExitStatus.Success;
    }

    private static SafeFileHandle Listen(int port, string? unix, int? number)
    {
        if (port is < 0 or > MaxPort)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--port {port}: from 0 to {MaxPort}"));
        if ((port != 0 ? 1 : 0) + (unix is not null ? 1 : 0) + (number is not null ? 1 : 0) > 1)
            throw new UsageException("only one of --port, --unix and --fd is possible");
        if (unix is not null)
            return StreamSockets.ListenOnPath(unix);
        if (number is not { } descriptor)
            return StreamSockets.ListenOnLoopback(port);
        string shown = string.Create(CultureInfo.InvariantCulture, $"--fd {descriptor}");
        SafeFileHandle inherited = CurrentProcess.InheritedDescriptor(descriptor) ?? throw new UsageException($"{shown}: no such descriptor was handed to us");
        StreamSockets.TakeListener(inherited, shown);
        return inherited;
    }

    private static void Tell(RepoServer server, string? urlFile, Streams io)
    {
        using MemoryStream bytes = new();
        using (JsonLineWriter lines = new(bytes))
        {
            lines.StartLine();
            lines.Json.WriteString("address", server.Address);
            lines.Json.WriteStartArray("repos");
            foreach (ServedSnapshot served in server.Snapshots)
                foreach (SnapshotRepo repo in served.Snapshot.Repos)
                {
                    lines.Json.WriteStartObject();
                    lines.Json.WriteString("snapshot", served.Name);
                    lines.Json.WriteString("id", served.Snapshot.Id);
                    lines.Json.WriteString("name", repo.Name);
                    lines.Json.WriteString("url", server.UrlOf(served, repo.Name));
                    if (repo.Keys.Count > 0)
                    {
                        lines.Json.WriteStartArray("keys");
                        for (int i = 0; i < repo.Keys.Count; i++)
                            lines.Json.WriteStringValue(server.UrlOf(served, repo.Name) + RepoFiles.KeyPath(i));
                        lines.Json.WriteEndArray();
                    }
                    lines.Json.WriteEndObject();
                }
            lines.Json.WriteEndArray();
            lines.EndLine();
            lines.Flush();
        }
        if (urlFile is not null)
            WholeFile.Write(urlFile, bytes.ToArray());
        io.Out.Write(bytes.ToArray());
        io.Out.Flush();
    }

    private static int AtLeast(int least, string option, int number) =>
        number >= least ? number : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} {number}: at least {least}"));
}

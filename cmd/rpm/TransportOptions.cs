using System.CommandLine;
using System.Globalization;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>Options that say how servers are treated.</summary>
internal sealed class TransportOptions
{
    private const int MaxConnections = 64, MaxRetries = 100;

    private readonly Option<string> _timeout = new("--timeout") { Description = "How long a server may take to answer, and then to send another byte.", HelpName = "TIME", DefaultValueFactory = _ => "30s" };
    private readonly Option<int> _retries = new("--retries") { Description = "How often what failed for a reason that may pass is tried again, with pauses from half a second to a minute.", DefaultValueFactory = _ => new Transport().Retries, HelpName = "N" };
    private readonly Option<string> _bandwidth = new("--bandwidth") { Description = "Bytes a second over all connections, such as 2M.", HelpName = "BYTES" };
    private readonly Option<int> _perHost = new("--connections-per-host") { Description = "Connections to one server.", DefaultValueFactory = _ => MaxConnections, HelpName = "N" };

    public void AddTo(Command command)
    {
        command.Add(_timeout);
        command.Add(_retries);
        command.Add(_bandwidth);
        command.Add(_perHost);
    }

    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public Transport Read(ParseResult args)
    {
        TimeSpan timeout = Quantity.Duration(args.GetRequiredValue(_timeout), "--timeout");
        if (timeout <= TimeSpan.Zero)
            throw new UsageException("--timeout: at least one second");
        long? bandwidth = args.GetValue(_bandwidth) is { } text ? Quantity.Bytes(text, "--bandwidth") : null;
        if (bandwidth == 0)
            throw new UsageException("--bandwidth 0: nothing would ever come");
        return new Transport
        {
            Patience = timeout,
            Retries = Within("--retries", args.GetValue(_retries), 0, MaxRetries),
            Bandwidth = bandwidth,
            ConnectionsPerServer = Within("--connections-per-host", args.GetValue(_perHost), 1, MaxConnections),
        };
    }

    private static int Within(string option, int value, int least, int most) =>
        value >= least && value <= most ? value : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} {value}: from {least} to {most}"));
}
